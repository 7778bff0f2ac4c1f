#if !UNITY_WEBGL || UNITY_EDITOR
using System;
using System.Collections.Generic;
using System.IO;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Pushgate
{
    /// <summary>
    /// A WebSocket over .NET's <c>ClientWebSocket</c>. One task reads, another one writes what waits, in order: the
    /// class allows one of each at a time.
    /// </summary>
    internal sealed class NetSocket : ISocket
    {
        const int Waiting = 256;
        const int ReadAtOnce = 16 * 1024;
        const int LongestMessage = 16 * 1024 * 1024;
        const int CloseWithin = 2000;

        readonly object door = new object();
        readonly Queue<string> unsent = new Queue<string>();
        readonly ClientWebSocket socket = new ClientWebSocket();
        readonly CancellationTokenSource cancel = new CancellationTokenSource();
        readonly Uri address;
        readonly ISocketListener hear;
        Task writing = Task.FromResult(true);
        bool isOpen;
        bool isWriting;
        bool isClosed;
        int closeCode;

        internal NetSocket(SocketRequest request, ISocketListener hear)
        {
            address = new Uri(request.Url);
            this.hear = hear;
            socket.Options.AddSubProtocol("pushgate.v1");
            socket.Options.SetRequestHeader("Authorization", "Bearer " + request.Token);
        }

        public bool IsIdle
        {
            get
            {
                lock (door) return isOpen && !isWriting && unsent.Count == 0;
            }
        }

        internal void Start()
        {
            Task.Run(() => Run());
        }

        public bool Send(string text)
        {
            lock (door)
            {
                if (!isOpen || closeCode != 0 || unsent.Count >= Waiting) return false;
                unsent.Enqueue(text);
            }
            Pump();
            return true;
        }

        public void Close(int code)
        {
            bool wasOpen;
            lock (door)
            {
                if (closeCode != 0) return;
                closeCode = code;
                wasOpen = isOpen;
            }
            Pump();
            // What does not end in good order ends all the same.
            Task.Delay(wasOpen ? CloseWithin : 0).ContinueWith(done => Abandon(), TaskScheduler.Default);
        }

        async Task Run()
        {
            int code = 0;
            string reason = "the connection was lost";
            try
            {
                await socket.ConnectAsync(address, cancel.Token).ConfigureAwait(false);
                lock (door) isOpen = true;
                Pump();
                code = await ReadAll().ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                reason = exception.GetBaseException().Message;
            }
            lock (door) isOpen = false;
            Abandon();
            hear.Ended(code, reason);
        }

        /// <summary>Reads until the other side closes; its code, or 0 where it gave none.</summary>
        async Task<int> ReadAll()
        {
            var buffer = new ArraySegment<byte>(new byte[ReadAtOnce]);
            using (var message = new MemoryStream())
            {
                while (true)
                {
                    WebSocketReceiveResult read = await socket.ReceiveAsync(buffer, cancel.Token).ConfigureAwait(false);
                    if (read.MessageType == WebSocketMessageType.Close)
                    {
                        await AnswerClose().ConfigureAwait(false);
                        return (int?)read.CloseStatus ?? 0;
                    }
                    message.Write(buffer.Array, 0, read.Count);
                    if (message.Length > LongestMessage) throw new IOException("a message was too long");
                    if (!read.EndOfMessage) continue;
                    if (read.MessageType == WebSocketMessageType.Text) Hear(message);
                    message.SetLength(0);
                }
            }
        }

        void Hear(MemoryStream message)
        {
            hear.Heard(Encoding.UTF8.GetString(message.GetBuffer(), 0, (int)message.Length));
        }

        /// <summary>The other side has closed: so do we, unless our own frame is what it answers.</summary>
        async Task AnswerClose()
        {
            lock (door)
            {
                if (closeCode == 0) closeCode = (int)WebSocketCloseStatus.NormalClosure;
            }
            Pump();
            await Task.WhenAny(writing, Task.Delay(CloseWithin)).ConfigureAwait(false);
        }

        /// <summary>Sees to it that what waits is sent, by one task at a time.</summary>
        void Pump()
        {
            lock (door)
            {
                if (!isOpen || isWriting) return;
                isWriting = true;
                writing = Task.Run(() => Write());
            }
        }

        async Task Write()
        {
            try
            {
                string text;
                while (Next(out text))
                {
                    var bytes = new ArraySegment<byte>(Encoding.UTF8.GetBytes(text));
                    await socket.SendAsync(bytes, WebSocketMessageType.Text, true, cancel.Token).ConfigureAwait(false);
                }
                if (isClosed) await socket.CloseOutputAsync((WebSocketCloseStatus)closeCode, "", cancel.Token).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // The reading task says what it was.
                Abandon();
            }
        }

        /// <summary>The next text to send; where there is none the writing ends, for good if it is to be closed.</summary>
        bool Next(out string text)
        {
            lock (door)
            {
                text = unsent.Count > 0 ? unsent.Dequeue() : null;
                if (text != null) return true;
                isClosed = closeCode != 0;
                // Nobody writes behind a close frame.
                isWriting = isClosed;
                return false;
            }
        }

        void Abandon()
        {
            try
            {
                cancel.Cancel();
                socket.Abort();
                socket.Dispose();
            }
            catch (Exception)
            {
                // Nothing is left to be saved.
            }
        }
    }
}
#endif
