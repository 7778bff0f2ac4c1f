using System.Diagnostics;

namespace Pushgate
{
    /// <summary>Seconds that only ever rise, on any thread, whatever becomes of the wall clock.</summary>
    internal static class MonotonicClock
    {
        internal static double Now()
        {
            return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        }
    }
}
