using System.Globalization;

namespace Pushgate
{
    /// <summary>
    /// How far a subscription has come: what to resume from, and what was delivered already. An id is
    /// <c>epoch-offset</c>; the offset rises by one within an epoch.
    /// </summary>
    internal sealed class StreamPosition
    {
        string epoch;
        long offset;

        /// <summary>Begins behind <paramref name="since"/>, or, where it is null, with what comes now.</summary>
        internal StreamPosition(string since)
        {
            Since = since;
            if (!TryParse(since, out epoch, out offset)) epoch = null;
        }

        /// <summary>What to resume from; null for now.</summary>
        internal string Since { get; private set; }

        /// <summary>Whether the message with this id was not delivered yet; from now on it was.</summary>
        internal bool Advance(string id)
        {
            string nextEpoch;
            long nextOffset;
            if (!TryParse(id, out nextEpoch, out nextOffset)) return true;
            if (nextEpoch == epoch && nextOffset <= offset) return false;
            Set(nextEpoch, nextOffset);
            return true;
        }

        /// <summary>The gateway says where the stream is. Never a step back within an epoch.</summary>
        internal void StartAt(string since)
        {
            string startEpoch;
            long startOffset;
            if (!TryParse(since, out startEpoch, out startOffset)) return;
            if (startEpoch == epoch && startOffset < offset) return;
            Set(startEpoch, startOffset);
        }

        /// <summary>What was missed is lost, and the stream goes on with the message <paramref name="next"/>.</summary>
        internal void SkipTo(string next)
        {
            string nextEpoch;
            long nextOffset;
            if (TryParse(next, out nextEpoch, out nextOffset) && nextOffset >= 1) Set(nextEpoch, nextOffset - 1);
        }

        void Set(string newEpoch, long newOffset)
        {
            epoch = newEpoch;
            offset = newOffset;
            Since = newEpoch + "-" + newOffset.ToString(CultureInfo.InvariantCulture);
        }

        static bool TryParse(string id, out string epoch, out long offset)
        {
            epoch = null;
            offset = 0;
            int dash = id == null ? -1 : id.LastIndexOf('-');
            if (dash <= 0) return false;
            epoch = id.Substring(0, dash);
            return long.TryParse(id.Substring(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out offset);
        }
    }
}
