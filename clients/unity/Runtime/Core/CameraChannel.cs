using System;

namespace Pushgate
{
    /// <summary>
    /// A scene of cameras: sends where ours is, at a rate, when it has moved, and tells where the others are.
    /// </summary>
    public sealed class CameraChannel
    {
        /// <summary>
        /// Earlier positions to begin with: the gateway by itself tells the newest of all, which is that of one sender.
        /// </summary>
        const int Earlier = 300;

        readonly PushgateClient client;
        CameraPosition? wanted;
        CameraPosition? sent;
        double slot = double.NegativeInfinity;

        /// <summary>Subscribes to a scene.</summary>
        /// <param name="client">The client.</param>
        /// <param name="name"><c>camera</c>, or <c>camera/</c> and a name.</param>
        /// <param name="maxRate">Updates a second that come in at most, 0.1 to 100; 0 for all of them.</param>
        /// <exception cref="ArgumentException">No channel has that name.</exception>
        public CameraChannel(PushgateClient client, string name = "camera", double maxRate = 0)
        {
            this.client = client;
            Channel = client.Channel(name, new ChannelOptions { History = Earlier, IsNewestEnough = true, MaxRate = maxRate });
            Channel.Opened += Forget;
            Channel.Received += Hear;
            Channel.Ticked = Send;
        }

        /// <summary>
        /// Another client was seen. Who comes anew sees first, in order, whom the last 300 positions of the scene are of,
        /// also those who have left since.
        /// </summary>
        public event Action<Sighting> Seen;

        /// <summary>A position of ours came back: everyone has it.</summary>
        public event Action<CameraPosition> Echoed;

        /// <summary>What it is built on: its state and its other events.</summary>
        public PushgateChannel Channel { get; }

        /// <summary>Positions a second that are sent at most; 0 for none.</summary>
        public double Rate { get; set; } = 10;

        /// <summary>How far any coordinate must move for a position to be sent, in the units of the scene.</summary>
        public double Epsilon { get; set; } = 0.001;

        /// <summary>
        /// Where our camera is now. Of those that come faster than the rate, or than the network takes them, the newest
        /// is sent. One that is not finite is ignored.
        /// </summary>
        /// <param name="position">In the units of the scene.</param>
        public void Move(CameraPosition position)
        {
            if (position.IsFinite) wanted = position;
        }

        void Forget()
        {
            sent = null;
        }

        void Send(double now)
        {
            if (wanted == null || !(Rate > 0) || !Channel.IsIdle) return;
            double next = slot + (1 / Rate);
            if (now < next) return;
            if (sent != null && sent.Value.IsNear(wanted.Value, Epsilon)) return;
            if (!Channel.Send(wanted.Value.ToJson())) return;
            sent = wanted;
            // A frame that comes a little late does not lower the rate.
            slot = now - next < 1 / Rate ? next : now;
        }

        void Hear(PushgateMessage message)
        {
            CameraPosition position;
            if (message.ClientId == null || !CameraPosition.TryRead(message.Data, out position)) return;
            if (client.IsOwn(message.ClientId)) client.Listeners.Tell(Echoed, position);
            else client.Listeners.Tell(Seen, new Sighting(message.ClientId, position));
        }
    }
}
