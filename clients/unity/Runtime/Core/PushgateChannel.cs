using System;
using System.Globalization;

namespace Pushgate
{
    /// <summary>
    /// One channel, whatever becomes of its connections: opens, resumes behind the last message that was delivered,
    /// repeats nothing, and tells what is lost. Events are raised in <see cref="PushgateClient.Update"/>.
    /// </summary>
    public sealed class PushgateChannel
    {
        /// <summary>A close code that leaves time to come back; a normal one ends the presence at once.</summary>
        internal const int ComingBack = 4000;

        const int Normal = 1000;
        /// <summary>Seconds until a connection must bring its first message.</summary>
        const double Patience = 10;
        /// <summary>Seconds that a connection must hold for its end to count as the first failure.</summary>
        const double Steady = 10;

        readonly PushgateClient client;
        readonly ChannelOptions options;
        readonly string path;
        readonly Backoff backoff;
        readonly Attempts attempts = new Attempts();

        StreamPosition position;
        Connection connection;
        string target;
        string token;
        int refusals;
        int attempt;
        double openedAt;
        double dueAt;
        double notBefore;

        internal PushgateChannel(PushgateClient client, string name, ChannelOptions options, Func<double> random)
        {
            this.client = client;
            this.options = options;
            Name = name ?? "";
            path = Address.PathOf(Name);
            backoff = new Backoff(random);
            State = PushgateState.Closed;
        }

        /// <summary>A connection is open, at first and after each interruption.</summary>
        public event Action Opened;

        /// <summary>A message came, in order, and once.</summary>
        public event Action<PushgateMessage> Received;

        /// <summary>Messages are lost for good; what follows is what comes next.</summary>
        public event Action<PushgateGap> Gap;

        /// <summary>Something failed, and is tried again or not.</summary>
        public event Action<PushgateTrouble> Failed;

        /// <summary>It is over: null where we closed it, else why. <see cref="Open"/> begins anew.</summary>
        public event Action<PushgateError> Closed;

        /// <summary>Does what is due while it is open.</summary>
        internal Action<double> Ticked { get; set; }

        /// <summary>Such as <c>chat/lobby</c>.</summary>
        public string Name { get; }

        /// <summary>What it is doing.</summary>
        public PushgateState State { get; private set; }

        /// <summary>The id of the last message that was delivered, for <see cref="ChannelOptions.Since"/>; null for none.</summary>
        public string Since => position?.Since;

        /// <summary>Whether it is open and nothing waits to be sent.</summary>
        internal bool IsIdle => State == PushgateState.Open && connection.IsIdle;

        /// <summary>Begins anew where it is closed; for a client that was logged out or kicked with a new login.</summary>
        public void Open()
        {
            if (State != PushgateState.Closed) return;
            position = new StreamPosition(options.Since);
            State = PushgateState.Connecting;
            client.Add(this);
        }

        /// <summary>Closes it: where it was the client's last one, the client is gone for others at once.</summary>
        public void Close()
        {
            if (State != PushgateState.Closed) End(Normal, null);
        }

        /// <summary>Sends JSON of the kind that the channel takes.</summary>
        /// <param name="json">Such as <c>{"message": "hello"}</c>.</param>
        /// <returns>False where it is not open, or too much waits to be sent. That it was taken is seen by its echo.</returns>
        public bool Send(string json)
        {
            return State == PushgateState.Open && connection.Send(json);
        }

        /// <summary>Says something in a chat room.</summary>
        /// <param name="text">What to say.</param>
        /// <returns>As of <see cref="Send"/>.</returns>
        public bool Say(string text)
        {
            return Send("{\"message\":" + JsonWriter.Quote(text) + "}");
        }

        internal void Rest()
        {
            if (State == PushgateState.Closed) return;
            Cut(ComingBack);
            State = PushgateState.Resting;
        }

        internal void Wake(double now)
        {
            if (State == PushgateState.Resting || State == PushgateState.Waiting) WaitUntil(Math.Max(now, notBefore));
        }

        internal void Update(double now)
        {
            if (State == PushgateState.Waiting && now >= dueAt) State = PushgateState.Connecting;
            if (connection != null) Listen(now);
            else if (State == PushgateState.Connecting) Connect(now);
            if (State == PushgateState.Open) Ticked?.Invoke(now);
        }

        /// <summary>Ends it for good.</summary>
        internal void Finish(PushgateError error)
        {
            if (State == PushgateState.Closed) return;
            End(ComingBack, error);
        }

        void Connect(double now)
        {
            token = client.Token(now);
            // A login is under way, and the client tells of its troubles.
            if (token == null) return;
            double wait = attempts.Wait(now);
            if (wait > 0)
            {
                WaitUntil(now + wait);
                return;
            }
            attempts.Note(now);
            attempt += 1;
            dueAt = now + Patience;
            connection = client.NewConnection(token, new Inbox(options.Waiting, options.IsNewestEnough));
            target = "/ws" + path + Query();
            client.Connect(connection, target);
        }

        string Query()
        {
            string query = "?ids=1&start=1&beat=1&errors=1&users=none";
            if (Since != null) query += "&since=" + Address.Escape(Since);
            else if (options.History > 0) query += "&history=" + options.History.ToString(CultureInfo.InvariantCulture);
            if (options.MaxRate > 0 && !double.IsInfinity(options.MaxRate)) query += "&max_rate=" + JsonWriter.Number(options.MaxRate);
            return query;
        }

        void Listen(double now)
        {
            Connection heard = connection;
            // Asked first: what came before it is in the inbox by now.
            PushgateError ending = heard.Ending;
            for (int due = heard.Inbox.Count; due > 0 && connection == heard; due -= 1) Hear(heard.Inbox.Take(), now);
            // An event may have closed it.
            if (connection != heard) return;
            if (ending != null) Lost(ending, now);
            else if (State == PushgateState.Connecting && now >= dueAt) Lost(PushgateError.Unreachable("no connection within its time"), now);
            else if (now >= heard.SilentAt) Lost(PushgateError.Unreachable("the connection fell silent"), now);
        }

        void Hear(PushgateMessage message, double now)
        {
            JsonValue whole = message.Whole;
            if (State == PushgateState.Connecting)
            {
                // Not with the upgrade: some proxies let that through, and nothing after it.
                State = PushgateState.Open;
                openedAt = now;
                string start = whole["since"]?.Text;
                if (start != null) position.StartAt(start);
                client.Listeners.Tell(Opened);
                if (start != null) return;
            }
            if (whole["gap"]?.Kind == JsonKind.Object)
            {
                position.SkipTo(whole["gap"]["next"]?.Text);
                client.Listeners.Tell(Gap, new PushgateGap(whole["gap"]));
            }
            else if (whole["error"]?.Kind == JsonKind.Object && whole.MemberCount == 1)
            {
                client.Listeners.Tell(Failed, new PushgateTrouble(PushgateError.Told(whole["error"]), null));
            }
            else if (message.Id == null || position.Advance(message.Id))
            {
                client.Listeners.Tell(Received, message);
            }
        }

        void Lost(PushgateError error, double now)
        {
            bool wasOpen = State == PushgateState.Open;
            if (wasOpen && now - openedAt >= Steady)
            {
                backoff.Reset();
                refusals = 0;
            }
            if (wasOpen || error.CloseCode != 0)
            {
                Fail(error, now);
                return;
            }
            // Refused, or nobody there. Until the answer it is as if nothing had changed.
            Cut(ComingBack);
            State = PushgateState.Waiting;
            dueAt = double.PositiveInfinity;
            int asked = attempt;
            client.AskWhy(target, token, why =>
            {
                if (asked == attempt) Fail(why ?? error, client.Now());
            });
        }

        void Fail(PushgateError error, double now)
        {
            Cut(ComingBack);
            bool isStale = error.CloseCode == PushgateError.LoggedOut && client.IsStale(token);
            if (!error.IsTemporary && !error.IsAboutToken && !isStale)
            {
                if (error.CloseCode == 0) Finish(error);
                else client.Expel(error);
                return;
            }
            bool isAboutToken = error.IsAboutToken || isStale;
            if (isAboutToken) client.Drop(token);
            // A new token helps at once, or not.
            bool isFirst = isAboutToken && ++refusals == 1;
            double wait = isFirst ? 0 : backoff.Next(error.AtLeast);
            notBefore = now + error.AtLeast;
            WaitUntil(now + wait);
            client.Listeners.Tell(Failed, new PushgateTrouble(error, wait));
        }

        void WaitUntil(double due)
        {
            State = PushgateState.Waiting;
            dueAt = due;
        }

        void End(int closeCode, PushgateError error)
        {
            Cut(closeCode);
            State = PushgateState.Closed;
            client.Remove(this);
            client.Listeners.Tell(Closed, error);
        }

        /// <summary>Puts down what is under way.</summary>
        void Cut(int closeCode)
        {
            attempt += 1;
            connection?.Close(closeCode);
            connection = null;
        }
    }
}
