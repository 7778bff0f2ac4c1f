namespace Pushgate
{
    /// <summary>How to subscribe to a channel.</summary>
    public sealed class ChannelOptions
    {
        /// <summary>The id of a message to begin behind; null for what comes now.</summary>
        public string Since { get; set; }

        /// <summary>How many earlier messages to begin with where <see cref="Since"/> is null: 0 to 1000.</summary>
        public int History { get; set; }

        /// <summary>
        /// Updates a second that the gateway sends at most, 0.1 to 100, on channels where only the newest counts; 0 for
        /// all of them.
        /// </summary>
        public double MaxRate { get; set; }

        /// <summary>
        /// Whether, where more wait than <see cref="Waiting"/>, the newest position of each sender is enough.
        /// </summary>
        public bool IsNewestEnough { get; set; }

        /// <summary>
        /// Messages that wait for <see cref="PushgateClient.Update"/> at most. Beyond it the connection is put down, and
        /// taken up again behind the last message that was delivered.
        /// </summary>
        public int Waiting { get; set; } = 1024;
    }
}
