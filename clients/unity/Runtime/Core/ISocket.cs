namespace Pushgate
{
    /// <summary>A WebSocket, opening, open or ended. Its methods return at once.</summary>
    internal interface ISocket
    {
        /// <summary>Whether everything that was to be sent is on its way.</summary>
        bool IsIdle { get; }

        /// <summary>Sends a text; false where it cannot, because it is not open or too much waits.</summary>
        bool Send(string text);

        /// <summary>Closes with a code, whatever state it is in; what waits to be sent goes first.</summary>
        void Close(int code);
    }
}
