using System.Collections.Generic;
using System.Reflection;

namespace UnityEngine
{
    /// <summary>Unity's player loop: calls scripts by the names of their methods.</summary>
    public static class Loop
    {
        static readonly List<MonoBehaviour> Scripts = new List<MonoBehaviour>();

        /// <summary>A frame.</summary>
        public static void Frame()
        {
            foreach (MonoBehaviour script in Scripts.ToArray())
            {
                if (script.enabled) Call(script, "Update");
            }
        }

        /// <summary>The system puts the app into the background, or brings it back.</summary>
        public static void Pause(bool isPaused)
        {
            foreach (MonoBehaviour script in Scripts.ToArray()) Call(script, "OnApplicationPause", isPaused);
        }

        internal static void Add(MonoBehaviour script)
        {
            Scripts.Add(script);
            Call(script, "Awake");
        }

        internal static void Remove(MonoBehaviour script)
        {
            Scripts.Remove(script);
        }

        internal static void Call(MonoBehaviour script, string name, params object[] arguments)
        {
            const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            MethodInfo method = script.GetType().GetMethod(name, Own);
            try
            {
                method?.Invoke(script, arguments);
            }
            catch (TargetInvocationException exception)
            {
                Debug.LogException(exception.InnerException, script);
            }
        }
    }
}
