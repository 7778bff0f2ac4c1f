using System.Collections.Generic;
using Pushgate;

/// <summary>A WebSocket that nobody is behind.</summary>
internal sealed class FakeSocket : ISocket
{
    readonly ISocketListener hear;

    internal FakeSocket(SocketRequest request, ISocketListener hear)
    {
        Request = request;
        this.hear = hear;
    }

    internal SocketRequest Request { get; }

    internal List<string> Sent { get; } = new List<string>();

    internal int ClosedWith { get; private set; }

    internal bool IsBusy { get; set; }

    public bool IsIdle => !IsBusy;

    public bool Send(string text)
    {
        Sent.Add(text);
        return true;
    }

    public void Close(int code)
    {
        ClosedWith = code;
    }

    internal void Hear(string text)
    {
        hear.Heard(text);
    }

    internal void End(int closeCode)
    {
        hear.Ended(closeCode, "for the test");
    }
}
