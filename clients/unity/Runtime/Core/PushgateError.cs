using System;
using System.Globalization;

namespace Pushgate
{
    /// <summary>Something that failed, as the gateway named it or as the way to it caused it.</summary>
    public sealed class PushgateError
    {
        internal const int TokenExpired = 4001;
        internal const int LoggedOut = 4002;
        internal const int Kicked = 4003;
        internal const int SlowConsumer = 4008;
        internal const int TooFast = 4009;

        const int UpgradeRequired = 426;

        PushgateError(string code, string detail)
        {
            Code = code;
            Detail = detail ?? "";
        }

        /// <summary>
        /// The gateway's own word, such as <c>token-expired</c> or <c>rate-limited</c>; <c>unreachable</c> where no
        /// answer came, <c>closed</c> where a connection was ended, <c>http-502</c> and the like where something on the
        /// way answered.
        /// </summary>
        public string Code { get; }

        /// <summary>More, for people.</summary>
        public string Detail { get; }

        /// <summary>The HTTP status; 0 where there was none.</summary>
        public int Status { get; private set; }

        /// <summary>The close code of the WebSocket; 0 where there was none.</summary>
        public int CloseCode { get; private set; }

        /// <summary>Seconds that the gateway asks to wait; null where it does not say.</summary>
        public double? RetryAfter { get; private set; }

        /// <summary>Whether the same may succeed later, without anybody doing anything about it.</summary>
        public bool IsTemporary
        {
            get
            {
                if (CloseCode != 0) return CloseCode != TokenExpired && CloseCode != LoggedOut && CloseCode != Kicked;
                bool isRefusal = Status >= 400 && Status < 500 && Status != 408 && Status != 429;
                // What is no answer of a gateway may be a page of the network in between.
                return !isRefusal || Code.StartsWith("http-", StringComparison.Ordinal);
            }
        }

        /// <summary>Whether a new token may help.</summary>
        internal bool IsAboutToken => Status == 401 || CloseCode == TokenExpired;

        /// <summary>Seconds that must pass before the next attempt; 0 for none.</summary>
        internal double AtLeast => RetryAfter ?? (CloseCode == TooFast ? 5 : 0);

        /// <summary>All of it in a line.</summary>
        /// <returns>Such as <c>rate-limited: 100 messages a second</c>.</returns>
        public override string ToString()
        {
            return Detail.Length == 0 ? Code : Code + ": " + Detail;
        }

        /// <summary>No answer, or none any more.</summary>
        internal static PushgateError Unreachable(string detail)
        {
            return new PushgateError("unreachable", detail);
        }

        /// <summary>A connection that ended with a close code, or, where that is 0, without one.</summary>
        internal static PushgateError Closed(int closeCode, string detail)
        {
            if (closeCode == 0) return Unreachable(detail);
            string told = "the gateway ended the connection with " + closeCode.ToString(CultureInfo.InvariantCulture);
            return new PushgateError("closed", told) { CloseCode = closeCode };
        }

        /// <summary>More came than the app takes: as if the gateway had said so.</summary>
        internal static PushgateError Overflow()
        {
            return new PushgateError("slow-consumer", "more messages wait than are taken") { CloseCode = SlowConsumer };
        }

        /// <summary>An answer other than the one that was asked for; null where it was 200 to 299.</summary>
        internal static PushgateError Of(HttpAnswer answer)
        {
            if (answer.Status == 0) return Unreachable(answer.Body);
            if (answer.Status >= 200 && answer.Status < 300) return null;
            JsonValue problem;
            JsonValue.TryParse(answer.Body, out problem);
            string code = problem?["code"]?.Text ?? "http-" + answer.Status.ToString(CultureInfo.InvariantCulture);
            return new PushgateError(code, problem?["detail"]?.Text)
            {
                Status = answer.Status,
                RetryAfter = answer.RetryAfter,
            };
        }

        /// <summary>What a WebSocket was refused for, asked for without one; null where it is not refused.</summary>
        internal static PushgateError OfRefusal(HttpAnswer answer)
        {
            return answer.Status == UpgradeRequired ? null : Of(answer);
        }

        /// <summary>What <c>{"error":{…}}</c> tells: something that was sent was not taken.</summary>
        internal static PushgateError Told(JsonValue error)
        {
            int status;
            int.TryParse(error["status"]?.Digits, NumberStyles.None, CultureInfo.InvariantCulture, out status);
            return new PushgateError(error["code"]?.Text ?? "refused", error["detail"]?.Text) { Status = status };
        }
    }
}
