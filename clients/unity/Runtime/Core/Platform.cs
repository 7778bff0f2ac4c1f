namespace Pushgate
{
    /// <summary>Which way to the network there is.</summary>
    internal static class Platform
    {
        internal static IPlatform Here()
        {
#if UNITY_WEBGL && !UNITY_EDITOR
            return new BrowserPlatform();
#else
            return new NetPlatform();
#endif
        }
    }
}
