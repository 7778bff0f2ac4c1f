using System;

namespace Pushgate
{
    /// <summary>At most 20 attempts within any minute, whatever chance, callers and close codes say.</summary>
    internal sealed class Attempts
    {
        internal const int Most = 20;
        internal const double Minute = 60;

        readonly double[] times = new double[Most];
        int count;

        /// <summary>Seconds until the next attempt may be made; 0 for at once.</summary>
        internal double Wait(double now)
        {
            return count < Most ? 0 : Math.Max(0, times[count % Most] + Minute - now);
        }

        /// <summary>One is made.</summary>
        internal void Note(double now)
        {
            times[count % Most] = now;
            count += 1;
            if (count == 2 * Most) count = Most;
        }
    }
}
