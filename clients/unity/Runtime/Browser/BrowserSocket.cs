#if UNITY_WEBGL && !UNITY_EDITOR
namespace Pushgate
{
    /// <summary>A WebSocket of the browser.</summary>
    internal sealed class BrowserSocket : ISocket
    {
        const int UnsentAtMost = 256 * 1024;

        readonly int socket;

        internal BrowserSocket(SocketRequest request, ISocketListener hear)
        {
            socket = BrowserBridge.Open(request, hear);
        }

        public bool IsIdle => BrowserBridge.Unsent(socket) == 0;

        public bool Send(string text)
        {
            return BrowserBridge.Unsent(socket) <= UnsentAtMost && BrowserBridge.Send(socket, text);
        }

        public void Close(int code)
        {
            BrowserBridge.Close(socket, code);
        }
    }
}
#endif
