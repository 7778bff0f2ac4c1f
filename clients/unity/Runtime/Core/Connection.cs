using System;

namespace Pushgate
{
    /// <summary>
    /// One attempt at a connection, and what becomes of it. The socket tells it things on a thread of its own; the
    /// channel asks for them when it updates.
    /// </summary>
    internal sealed class Connection : ISocketListener
    {
        const double LateBy = 10;

        readonly object door = new object();
        readonly Func<double> clock;
        ISocket socket;
        bool isOver;
        PushgateError ending;
        double every;
        double silentAt = double.PositiveInfinity;

        internal Connection(string token, Inbox inbox, Func<double> clock)
        {
            Token = token;
            Inbox = inbox;
            this.clock = clock;
        }

        /// <summary>The token it was opened with.</summary>
        internal string Token { get; }

        /// <summary>What came and was not delivered yet.</summary>
        internal Inbox Inbox { get; }

        /// <summary>Why it is over; null while it is not. What came before is in the inbox by then.</summary>
        internal PushgateError Ending
        {
            get
            {
                lock (door) return ending;
            }
        }

        /// <summary>Seconds of the clock at which even a heartbeat is overdue.</summary>
        internal double SilentAt
        {
            get
            {
                lock (door) return silentAt;
            }
        }

        /// <summary>Whether everything that was to be sent is on its way.</summary>
        internal bool IsIdle => socket.IsIdle;

        /// <summary>Opens the socket.</summary>
        internal void Open(IPlatform platform, string url)
        {
            socket = platform.Open(new SocketRequest(url, Token), this);
        }

        /// <summary>Sends a text; false where it cannot.</summary>
        internal bool Send(string text)
        {
            return socket.Send(text);
        }

        /// <summary>Ends it from our side; nothing more comes of it.</summary>
        internal void Close(int code)
        {
            lock (door) isOver = true;
            socket.Close(code);
        }

        void ISocketListener.Heard(string text)
        {
            PushgateMessage message = PushgateMessage.Read(text);
            lock (door)
            {
                if (isOver) return;
                double heartbeat;
                if (IsHeartbeat(message, out heartbeat)) every = heartbeat;
                // Cut without a word, as by a lost network, a socket stays open for ever.
                if (every > 0) silentAt = clock() + (2 * every) + LateBy;
                if (message == null || heartbeat > 0 || Inbox.Put(message)) return;
                isOver = true;
                ending = PushgateError.Overflow();
            }
            socket?.Close(PushgateChannel.ComingBack);
        }

        void ISocketListener.Ended(int closeCode, string reason)
        {
            lock (door)
            {
                if (isOver) return;
                isOver = true;
                ending = PushgateError.Closed(closeCode, reason);
            }
        }

        static bool IsHeartbeat(PushgateMessage message, out double seconds)
        {
            seconds = 0;
            JsonValue heartbeat = message?.Whole["heartbeat"];
            return heartbeat != null && message.Whole.MemberCount == 1 && heartbeat.TryNumber(out seconds) && seconds > 0;
        }
    }
}
