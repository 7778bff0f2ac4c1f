#if UNITY_WEBGL && !UNITY_EDITOR
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using AOT;

namespace Pushgate
{
    /// <summary>
    /// The C# half of <c>Plugins/WebGL/Pushgate.jslib</c>: what it may be asked, and who hears of which of its
    /// sockets and requests. All of it runs on the one thread there is.
    /// </summary>
    internal static class BrowserBridge
    {
        static readonly Dictionary<int, ISocketListener> Sockets = new Dictionary<int, ISocketListener>();
        static readonly Dictionary<int, Action<HttpAnswer>> Requests = new Dictionary<int, Action<HttpAnswer>>();
        static bool isListening;

        delegate void TextCallback(int socket, IntPtr text, int length);

        delegate void EndCallback(int socket, int closeCode, IntPtr reason, int length);

        delegate void AnswerCallback(int request, int status, int retryAfter, IntPtr body, int length);

        /// <summary>Opens a WebSocket; its number.</summary>
        internal static int Open(SocketRequest request, ISocketListener hear)
        {
            Listen();
            int socket = PushgateSocketOpen(request.Url, "pushgate.v1", "bearer." + request.Token);
            Sockets.Add(socket, hear);
            return socket;
        }

        /// <summary>Sends; whether it could.</summary>
        internal static bool Send(int socket, string text)
        {
            return PushgateSocketSend(socket, text) != 0;
        }

        /// <summary>Bytes that wait to be sent; -1 where it is not open.</summary>
        internal static int Unsent(int socket)
        {
            return PushgateSocketUnsent(socket);
        }

        /// <summary>Closes; nobody hears of it any more.</summary>
        internal static void Close(int socket, int code)
        {
            if (Sockets.Remove(socket)) PushgateSocketClose(socket, code);
        }

        /// <summary>Asks.</summary>
        internal static void Ask(HttpRequest request, Action<HttpAnswer> answered)
        {
            Listen();
            int number = PushgateRequest(request.Method, request.Url, request.Token ?? "", request.Form ?? "");
            Requests.Add(number, answered);
        }

        static void Listen()
        {
            if (isListening) return;
            isListening = true;
            PushgateListen(OnText, OnEnd, OnAnswer);
        }

        [MonoPInvokeCallback(typeof(TextCallback))]
        static void OnText(int socket, IntPtr text, int length)
        {
            ISocketListener hear;
            if (Sockets.TryGetValue(socket, out hear)) hear.Heard(Read(text, length));
        }

        [MonoPInvokeCallback(typeof(EndCallback))]
        static void OnEnd(int socket, int closeCode, IntPtr reason, int length)
        {
            ISocketListener hear;
            if (!Sockets.TryGetValue(socket, out hear)) return;
            Sockets.Remove(socket);
            hear.Ended(closeCode, Read(reason, length));
        }

        [MonoPInvokeCallback(typeof(AnswerCallback))]
        static void OnAnswer(int request, int status, int retryAfter, IntPtr body, int length)
        {
            Action<HttpAnswer> answered;
            if (!Requests.TryGetValue(request, out answered)) return;
            Requests.Remove(request);
            answered(new HttpAnswer(status, Read(body, length), retryAfter < 0 ? (double?)null : retryAfter));
        }

        static string Read(IntPtr text, int length)
        {
            var bytes = new byte[length];
            Marshal.Copy(text, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }

        [DllImport("__Internal")]
        static extern void PushgateListen(TextCallback onText, EndCallback onEnd, AnswerCallback onAnswer);

        [DllImport("__Internal")]
        static extern int PushgateSocketOpen(string url, string protocol, string bearer);

        [DllImport("__Internal")]
        static extern int PushgateSocketSend(int socket, string text);

        [DllImport("__Internal")]
        static extern int PushgateSocketUnsent(int socket);

        [DllImport("__Internal")]
        static extern void PushgateSocketClose(int socket, int code);

        [DllImport("__Internal")]
        static extern int PushgateRequest(string method, string url, string token, string form);
    }
}
#endif
