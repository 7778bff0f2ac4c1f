using System;

namespace UnityEngine.Events
{
    /// <summary>As Unity's: whoever throws keeps it from those behind.</summary>
    public sealed class UnityEvent
    {
        event Action Listeners;

        public void AddListener(Action call)
        {
            Listeners += call;
        }

        public void Invoke()
        {
            Listeners?.Invoke();
        }
    }

    /// <summary>The same with something to tell.</summary>
    public sealed class UnityEvent<T>
    {
        event Action<T> Listeners;

        public void AddListener(Action<T> call)
        {
            Listeners += call;
        }

        public void Invoke(T what)
        {
            Listeners?.Invoke(what);
        }
    }

    /// <summary>The same with two things to tell.</summary>
    public sealed class UnityEvent<T, U>
    {
        event Action<T, U> Listeners;

        public void AddListener(Action<T, U> call)
        {
            Listeners += call;
        }

        public void Invoke(T one, U other)
        {
            Listeners?.Invoke(one, other);
        }
    }
}
