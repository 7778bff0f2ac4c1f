namespace Pushgate
{
    /// <summary>What came of a request.</summary>
    internal sealed class HttpAnswer
    {
        internal HttpAnswer(int status, string body, double? retryAfter)
        {
            Status = status;
            Body = body ?? "";
            RetryAfter = retryAfter;
        }

        /// <summary>0 where no answer came.</summary>
        internal int Status { get; }

        /// <summary>Where no answer came, why.</summary>
        internal string Body { get; }

        /// <summary>Seconds; null where it does not say.</summary>
        internal double? RetryAfter { get; }

        /// <summary>No answer.</summary>
        internal static HttpAnswer None(string why)
        {
            return new HttpAnswer(0, why, null);
        }
    }
}
