namespace Pushgate
{
    /// <summary>A failure, and what comes of it.</summary>
    public struct PushgateTrouble
    {
        /// <summary>What failed.</summary>
        public readonly PushgateError Error;

        /// <summary>Seconds until it is tried again; null where it is not.</summary>
        public readonly double? RetryIn;

        internal PushgateTrouble(PushgateError error, double? retryIn)
        {
            Error = error;
            RetryIn = retryIn;
        }
    }
}
