using System;
using System.Collections.Concurrent;
using System.Collections.Generic;

namespace Pushgate
{
    /// <summary>
    /// A gateway, as one client of it: who it is, its token, its channels.
    ///
    /// Nothing happens but in <see cref="Update"/>, which is to be called some 10 to 100 times a second, always on the
    /// same thread: all events are raised there. No method waits, and none but the constructor and
    /// <see cref="Channel"/> throws.
    /// </summary>
    public sealed class PushgateClient
    {
        /// <summary>Former ids whose echoes may still come.</summary>
        const int Remembered = 16;
        /// <summary>Seconds until a renewal that failed is tried again, at least.</summary>
        const double RenewAgain = 5;

        readonly Address address;
        readonly IPlatform platform;
        readonly Func<double> clock;
        readonly Func<double> random;
        readonly Backoff backoff;
        readonly Attempts attempts = new Attempts();
        readonly Listeners listeners = new Listeners();
        readonly List<PushgateChannel> channels = new List<PushgateChannel>();
        readonly Queue<string> ownIds = new Queue<string>();
        readonly ConcurrentQueue<Action> answers = new ConcurrentQueue<Action>();

        string name;
        Identity identity;
        Entry asking;
        bool isWanted;
        bool isResting;
        double tryAt;
        double notBefore;

        /// <summary>A client that has not logged in yet.</summary>
        /// <param name="url">The gateway, such as <c>https://push.example.org</c>.</param>
        /// <exception cref="ArgumentException">It is no such address.</exception>
        public PushgateClient(string url)
            : this(url, Platform.Here(), MonotonicClock.Now, new Random(Guid.NewGuid().GetHashCode()).NextDouble)
        {
        }

        internal PushgateClient(string url, IPlatform platform, Func<double> clock, Func<double> random)
        {
            address = new Address(url);
            this.platform = platform;
            this.clock = clock;
            this.random = random;
            backoff = new Backoff(random);
        }

        /// <summary>Raised with the client id when a login has made one, at first and where a token could not be renewed.</summary>
        public event Action<string> LoggedIn;

        /// <summary>Raised when a login or a renewal failed.</summary>
        public event Action<PushgateTrouble> Failed;

        /// <summary>The id of this client; null before a login.</summary>
        public string ClientId => identity?.ClientId;

        /// <summary>Hears of exceptions that were thrown by the app's own event handlers; by itself the standard error.</summary>
        public Action<Exception> Complain
        {
            get { return listeners.Complain; }
            set { listeners.Complain = value; }
        }

        internal Listeners Listeners => listeners;

        /// <summary>
        /// Logs in: from then on this client is present. A second login makes another client of it, and the first one
        /// is gone. Where nobody calls it, the first channel does.
        /// </summary>
        /// <param name="displayName">1 to 64 characters that others see; null for none.</param>
        public void Login(string displayName = null)
        {
            name = displayName;
            string before = identity?.Token;
            Forget();
            isWanted = true;
            tryAt = notBefore;
            if (before != null) SayGoodbye(before);
        }

        /// <summary>Ends the presence and the tokens of this client, and closes its channels.</summary>
        public void Logout()
        {
            Close();
            string token = identity?.Token;
            Forget();
            isWanted = false;
            if (token != null) SayGoodbye(token);
        }

        /// <summary>Closes all channels, and does not log out.</summary>
        public void Close()
        {
            foreach (PushgateChannel channel in channels.ToArray()) channel.Close();
        }

        /// <summary>Subscribes to a channel.</summary>
        /// <param name="channel">Such as <c>chat/lobby</c>; an empty one is the root channel.</param>
        /// <param name="options">How; null for what comes from now on.</param>
        /// <returns>The channel. Its events come with a later <see cref="Update"/>.</returns>
        /// <exception cref="ArgumentException">No channel has that name.</exception>
        public PushgateChannel Channel(string channel, ChannelOptions options = null)
        {
            var opened = new PushgateChannel(this, channel, options ?? new ChannelOptions(), random);
            opened.Open();
            return opened;
        }

        /// <summary>
        /// Puts all connections away, as before a pause of the app: others see this client leave some seconds later,
        /// unless it wakes before.
        /// </summary>
        public void Rest()
        {
            isResting = true;
            foreach (PushgateChannel channel in channels.ToArray()) channel.Rest();
        }

        /// <summary>Takes up what rests, and tries at once what waits for its next attempt.</summary>
        public void Wake()
        {
            isResting = false;
            tryAt = Math.Min(tryAt, notBefore);
            foreach (PushgateChannel channel in channels.ToArray()) channel.Wake(clock());
        }

        /// <summary>Does what is due, and raises the events of what has come. Returns at once.</summary>
        public void Update()
        {
            Action answer;
            for (int due = answers.Count; due > 0 && answers.TryDequeue(out answer); due -= 1) answer();
            double now = clock();
            // From behind, since an event may take channels away.
            for (int index = channels.Count - 1; index >= 0; index -= 1)
            {
                if (index < channels.Count) channels[index].Update(now);
            }
            // Behind them, since one may want a token.
            if (!isResting && asking == null) KeepIdentity(now);
        }

        /// <summary>Whether a message of this client id is an echo of our own.</summary>
        internal bool IsOwn(string clientId)
        {
            return clientId != null && ownIds.Contains(clientId);
        }

        /// <summary>The token to connect with; null while there is none, and then a login is under way.</summary>
        internal string Token(double now)
        {
            isWanted = true;
            if (identity != null && now >= identity.ExpiresAt) Drop(identity.Token);
            return identity?.Token;
        }

        /// <summary>A token was refused: whoever asks next gets another.</summary>
        internal void Drop(string token)
        {
            if (token != null && identity?.Token == token) Forget();
        }

        /// <summary>
        /// Logged out elsewhere, or kicked: the client is over with all its channels. One that is opened again logs in.
        /// </summary>
        internal void Expel(PushgateError error)
        {
            Forget();
            GiveUp(error);
        }

        /// <summary>Whether a token was replaced by another of ours, or is about to be.</summary>
        internal bool IsStale(string token)
        {
            return isWanted && identity?.Token != token;
        }

        internal void Add(PushgateChannel channel)
        {
            if (!channels.Contains(channel)) channels.Add(channel);
        }

        internal void Remove(PushgateChannel channel)
        {
            channels.Remove(channel);
        }

        /// <summary>A connection that tells <paramref name="connection"/> what becomes of it.</summary>
        internal void Connect(Connection connection, string target)
        {
            connection.Open(platform, address.Socket(target));
        }

        /// <summary>
        /// Why the gateway refuses a connection: a WebSocket does not tell, and the same request without an upgrade
        /// does. What it tells is null where an upgrade is all that it lacks.
        /// </summary>
        internal void AskWhy(string target, string token, Action<PushgateError> told)
        {
            var request = new HttpRequest("GET", address.Http(target + "&why=1"), token, null);
            platform.Ask(request, answer => answers.Enqueue(() => told(PushgateError.OfRefusal(answer))));
        }

        /// <summary>Seconds of the clock.</summary>
        internal double Now()
        {
            return clock();
        }

        internal Connection NewConnection(string token, Inbox inbox)
        {
            return new Connection(token, inbox, clock);
        }

        void KeepIdentity(double now)
        {
            if (identity == null)
            {
                if (!isWanted || now < tryAt) return;
                double wait = attempts.Wait(now);
                if (wait > 0) tryAt = now + wait;
                else Enter(null, now);
            }
            else if (now >= identity.RenewAt)
            {
                Enter(identity.Token, now);
            }
        }

        /// <summary>Logs in, or, with a token, renews it.</summary>
        void Enter(string token, double now)
        {
            attempts.Note(now);
            string form = string.IsNullOrEmpty(name) ? "" : "name=" + Address.Escape(name);
            var request = new HttpRequest("POST", address.Http("/login?users=none"), token, form);
            var entry = new Entry();
            asking = entry;
            platform.Ask(request, answer =>
            {
                if (entry.Come(answer)) answers.Enqueue(() => Entered(entry, token, answer));
                else Undo(answer);
            });
        }

        void Entered(Entry entry, string token, HttpAnswer answer)
        {
            // Given up, and undone, while it waited here.
            if (asking != entry) return;
            double now = clock();
            PushgateError error = PushgateError.Of(answer);
            Identity entered = error == null ? Identity.Read(answer.Body, now) : null;
            asking = null;
            if (entered != null) Become(entered);
            else Refused(error ?? PushgateError.Unreachable("what came is no answer to a login"), token, now);
        }

        /// <summary>Nobody any more; what is under way makes us nobody, either.</summary>
        void Forget()
        {
            Entry overtaken = asking;
            identity = null;
            asking = null;
            HttpAnswer came = overtaken?.GiveUp();
            if (came != null) Undo(came);
        }

        /// <summary>Ends whom a login made that nobody waits for any more. On any thread: there may be no more updates.</summary>
        void Undo(HttpAnswer answer)
        {
            Identity entered = PushgateError.Of(answer) == null ? Identity.Read(answer.Body, 0) : null;
            if (entered != null) SayGoodbye(entered.Token);
        }

        void Become(Identity entered)
        {
            backoff.Reset();
            notBefore = 0;
            bool isNew = !ownIds.Contains(entered.ClientId);
            identity = entered;
            if (!isNew) return;
            ownIds.Enqueue(entered.ClientId);
            if (ownIds.Count > Remembered) ownIds.Dequeue();
            listeners.Tell(LoggedIn, entered.ClientId);
        }

        void Refused(PushgateError error, string token, double now)
        {
            bool isRenewal = token != null;
            if (!error.IsTemporary && !error.IsAboutToken)
            {
                listeners.Tell(Failed, new PushgateTrouble(error, null));
                // The old one is good for a while; when it is not any more, a channel hears of it.
                if (isRenewal) identity.RenewAt = double.PositiveInfinity;
                else GiveUp(error);
                return;
            }
            double wait = backoff.Next(error.AtLeast);
            notBefore = now + error.AtLeast;
            tryAt = now + wait;
            if (isRenewal && error.IsAboutToken) Drop(token);
            else if (isRenewal) identity.RenewAt = now + Math.Max(RenewAgain, wait);
            listeners.Tell(Failed, new PushgateTrouble(error, wait));
        }

        void GiveUp(PushgateError error)
        {
            isWanted = false;
            foreach (PushgateChannel channel in channels.ToArray()) channel.Finish(error);
        }

        /// <summary>Ends a token's client. Whether that succeeds is nobody's concern any more.</summary>
        void SayGoodbye(string token)
        {
            platform.Ask(new HttpRequest("POST", address.Http("/logout"), token, ""), answer => { });
        }
    }
}
