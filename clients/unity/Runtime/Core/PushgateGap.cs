using System.Globalization;

namespace Pushgate
{
    /// <summary>Messages that are lost for good. Loss is never silent.</summary>
    public sealed class PushgateGap
    {
        internal PushgateGap(JsonValue gap)
        {
            Since = gap["since"]?.Text;
            Next = gap["next"]?.Text;
            long inbox;
            long.TryParse(gap["inbox"]?.Digits, NumberStyles.None, CultureInfo.InvariantCulture, out inbox);
            Inbox = inbox;
        }

        /// <summary>The id behind which it begins; null where direct messages were lost.</summary>
        public string Since { get; }

        /// <summary>The id of the next message that is kept; null where direct messages were lost.</summary>
        public string Next { get; }

        /// <summary>How many direct messages were lost; 0 where the gap is in the channel's own.</summary>
        public long Inbox { get; }
    }
}
