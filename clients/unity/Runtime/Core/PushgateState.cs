namespace Pushgate
{
    /// <summary>What a channel is doing.</summary>
    public enum PushgateState
    {
        /// <summary>It logs in, or opens a connection.</summary>
        Connecting,

        /// <summary>Messages come and go.</summary>
        Open,

        /// <summary>An attempt failed, and the next one is not due yet.</summary>
        Waiting,

        /// <summary>Put away until <see cref="PushgateClient.Wake"/>.</summary>
        Resting,

        /// <summary>Over, until <see cref="PushgateChannel.Open"/>.</summary>
        Closed,
    }
}
