#if UNITY_WEBGL && !UNITY_EDITOR
using System;

namespace Pushgate
{
    /// <summary>The network by way of the page: there are neither sockets nor threads in a WebGL player.</summary>
    internal sealed class BrowserPlatform : IPlatform
    {
        public void Ask(HttpRequest request, Action<HttpAnswer> answered)
        {
            BrowserBridge.Ask(request, answered);
        }

        public ISocket Open(SocketRequest request, ISocketListener hear)
        {
            return new BrowserSocket(request, hear);
        }
    }
}
#endif
