using System;

namespace UnityEngine
{
    /// <summary>The console; who tests reads it.</summary>
    public static class Debug
    {
        public static event Action<string> Written;

        public static void Log(object message, Object context)
        {
            Written?.Invoke("log " + message);
        }

        public static void LogWarning(object message, Object context)
        {
            Written?.Invoke("warning " + message);
        }

        public static void LogException(Exception exception, Object context)
        {
            Written?.Invoke("exception " + exception.Message);
        }
    }
}
