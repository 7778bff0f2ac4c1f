using System;
using System.Collections.Generic;

namespace Pushgate
{
    /// <summary>
    /// The messages between the thread that reads a socket and the one that updates.
    ///
    /// Writer: one thread. Reader: another. Bound: <c>capacity</c>. Beyond it, where the newest is enough, of each
    /// sender only the newest position is kept; where that does not help, it takes no more.
    /// </summary>
    internal sealed class Inbox
    {
        readonly object door = new object();
        readonly int capacity;
        readonly bool isNewestEnough;
        Queue<PushgateMessage> messages = new Queue<PushgateMessage>();

        internal Inbox(int capacity, bool isNewestEnough)
        {
            this.capacity = Math.Max(1, capacity);
            this.isNewestEnough = isNewestEnough;
        }

        /// <summary>How many wait.</summary>
        internal int Count
        {
            get
            {
                lock (door) return messages.Count;
            }
        }

        /// <summary>Whether there was room for it.</summary>
        internal bool Put(PushgateMessage message)
        {
            lock (door)
            {
                if (messages.Count >= capacity && isNewestEnough) Thin(message);
                if (messages.Count >= capacity) return false;
                messages.Enqueue(message);
                return true;
            }
        }

        /// <summary>The next message; null where none waits.</summary>
        internal PushgateMessage Take()
        {
            lock (door) return messages.Count > 0 ? messages.Dequeue() : null;
        }

        /// <summary>Leaves of each sender the newest position alone, and everything that is none.</summary>
        void Thin(PushgateMessage coming)
        {
            var newest = new Dictionary<string, PushgateMessage>();
            foreach (PushgateMessage message in messages)
            {
                if (message.IsPosition) newest[message.ClientId] = message;
            }
            if (coming.IsPosition) newest[coming.ClientId] = coming;
            var kept = new Queue<PushgateMessage>();
            foreach (PushgateMessage message in messages)
            {
                if (!message.IsPosition || newest[message.ClientId] == message) kept.Enqueue(message);
            }
            messages = kept;
        }
    }
}
