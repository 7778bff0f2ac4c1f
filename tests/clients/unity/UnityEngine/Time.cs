namespace UnityEngine
{
    /// <summary>The clock of the scene, set by who tests.</summary>
    public static class Time
    {
        public static float realtimeSinceStartup { get; set; }
    }
}
