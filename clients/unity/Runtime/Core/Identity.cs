using System;

namespace Pushgate
{
    /// <summary>Who a login made us, and for how long.</summary>
    internal sealed class Identity
    {
        const double ShippedLife = 7200;
        const double RenewalAt = 0.8;
        const double RenewalSoonest = 5;

        Identity(string clientId, string token, double life, double now)
        {
            ClientId = clientId;
            Token = token;
            ExpiresAt = now + life;
            RenewAt = now + Math.Max(RenewalSoonest, life * RenewalAt);
        }

        internal string ClientId { get; }

        internal string Token { get; }

        /// <summary>Seconds of the clock.</summary>
        internal double ExpiresAt { get; }

        /// <summary>Seconds of the clock.</summary>
        internal double RenewAt { get; set; }

        /// <summary>What a login answered at <paramref name="now"/>; null where it is no such answer.</summary>
        internal static Identity Read(string body, double now)
        {
            JsonValue answer;
            if (!JsonValue.TryParse(body, out answer)) return null;
            string clientId = answer["client_id"]?.Text;
            string token = answer["token"]?.Text;
            if (string.IsNullOrEmpty(clientId) || !IsToken(token)) return null;
            double life = 0;
            answer["expires_in"]?.TryNumber(out life);
            return new Identity(clientId, token, life > 0 ? life : ShippedLife, now);
        }

        /// <summary>Whether it can stand in a header.</summary>
        static bool IsToken(string token)
        {
            foreach (char letter in token ?? "")
            {
                if (letter <= ' ' || letter > '~') return false;
            }
            return !string.IsNullOrEmpty(token);
        }
    }
}
