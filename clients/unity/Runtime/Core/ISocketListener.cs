namespace Pushgate
{
    /// <summary>Who hears of a WebSocket.</summary>
    internal interface ISocketListener
    {
        /// <summary>A text came.</summary>
        void Heard(string text);

        /// <summary>It is over: with the close code that came, or with 0 and a reason where it broke or never opened.</summary>
        void Ended(int closeCode, string reason);
    }
}
