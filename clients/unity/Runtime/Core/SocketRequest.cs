namespace Pushgate
{
    /// <summary>A WebSocket to open.</summary>
    internal sealed class SocketRequest
    {
        internal SocketRequest(string url, string token)
        {
            Url = url;
            Token = token;
        }

        /// <summary>The whole address, without the token.</summary>
        internal string Url { get; }

        /// <summary>Whose connection it is.</summary>
        internal string Token { get; }
    }
}
