namespace Pushgate
{
    /// <summary>
    /// A login or a renewal that is under way. Its answer comes on a thread of its own, and is given up on the app's;
    /// whichever is the second knows of the first.
    /// </summary>
    internal sealed class Entry
    {
        readonly object door = new object();
        HttpAnswer answer;
        bool isGivenUp;

        /// <summary>The answer is here; whether it is still waited for.</summary>
        internal bool Come(HttpAnswer came)
        {
            lock (door)
            {
                answer = came;
                return !isGivenUp;
            }
        }

        /// <summary>Nobody waits for it any more; the answer, where it is here already.</summary>
        internal HttpAnswer GiveUp()
        {
            lock (door)
            {
                isGivenUp = true;
                return answer;
            }
        }
    }
}
