using System;

namespace Pushgate
{
    /// <summary>
    /// Waits of 0 to 1, 2, 4, … 30 seconds: full jitter, so that a crowd that was cut off spreads.
    /// </summary>
    internal sealed class Backoff
    {
        const double Longest = 30;
        const double LongestAsked = 3600;
        const double Spread = 5;

        readonly Func<double> random;
        int failures;

        /// <summary><paramref name="random"/> gives 0 to 1.</summary>
        internal Backoff(Func<double> random)
        {
            this.random = random;
        }

        /// <summary>Seconds to wait after one more failure, and never less than the gateway asks for.</summary>
        internal double Next(double atLeast)
        {
            double most = Math.Min(Longest, Math.Pow(2, Math.Min(failures, 10)));
            failures += 1;
            if (atLeast <= 0) return random() * most;
            // The gateway spreads those that it turns away; a little more does no harm.
            return Math.Min(atLeast, LongestAsked) + random() * Math.Min(most, Spread);
        }

        /// <summary>It went well.</summary>
        internal void Reset()
        {
            failures = 0;
        }
    }
}
