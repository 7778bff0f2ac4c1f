using System;

namespace Pushgate
{
    /// <summary>Calls what the app has added to our events. One that throws keeps nothing from the others, nor from us.</summary>
    internal sealed class Listeners
    {
        /// <summary>Hears of what was thrown; by itself it goes to the standard error.</summary>
        internal Action<Exception> Complain { get; set; } = Print;

        /// <summary>Calls each.</summary>
        internal void Tell(Action listeners)
        {
            if (listeners == null) return;
            foreach (Delegate listener in listeners.GetInvocationList()) Call(() => ((Action)listener)());
        }

        /// <summary>Calls each with <paramref name="what"/>.</summary>
        internal void Tell<T>(Action<T> listeners, T what)
        {
            if (listeners == null) return;
            foreach (Delegate listener in listeners.GetInvocationList()) Call(() => ((Action<T>)listener)(what));
        }

        /// <summary>Calls each with both.</summary>
        internal void Tell<T, U>(Action<T, U> listeners, T one, U other)
        {
            if (listeners == null) return;
            foreach (Delegate listener in listeners.GetInvocationList()) Call(() => ((Action<T, U>)listener)(one, other));
        }

        void Call(Action listener)
        {
            try
            {
                listener();
            }
            catch (Exception exception)
            {
                Report(exception);
            }
        }

        void Report(Exception exception)
        {
            try
            {
                Complain(exception);
            }
            catch (Exception second)
            {
                Print(second);
            }
        }

        static void Print(Exception exception)
        {
            Console.Error.WriteLine(exception);
        }
    }
}
