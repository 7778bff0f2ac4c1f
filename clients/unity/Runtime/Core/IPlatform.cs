using System;

namespace Pushgate
{
    /// <summary>What reaches the network: .NET's own classes, or the browser around a WebGL player.</summary>
    internal interface IPlatform
    {
        /// <summary>Asks. <paramref name="answered"/> is called exactly once, within 20 s or so, on any thread.</summary>
        void Ask(HttpRequest request, Action<HttpAnswer> answered);

        /// <summary>Opens a WebSocket; <paramref name="hear"/> is told on any thread, one call at a time.</summary>
        ISocket Open(SocketRequest request, ISocketListener hear);
    }
}
