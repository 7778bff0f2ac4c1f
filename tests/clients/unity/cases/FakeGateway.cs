using System;
using System.Collections.Generic;
using System.Linq;
using Pushgate;

/// <summary>A platform that only writes down what it is asked, and the clock that goes with it.</summary>
internal sealed class FakeGateway : IPlatform
{
    readonly List<Action<HttpAnswer>> callbacks = new List<Action<HttpAnswer>>();
    int logins;

    internal FakeGateway()
    {
        Client = new PushgateClient("http://gate.test:8080/base/", this, () => Now, () => Chance);
        Client.Failed += trouble => Troubles.Add(trouble);
    }

    internal PushgateClient Client { get; }

    /// <summary>Seconds.</summary>
    internal double Now { get; set; } = 1000;

    /// <summary>0 to 1.</summary>
    internal double Chance { get; set; } = 0.5;

    internal List<HttpRequest> Requests { get; } = new List<HttpRequest>();

    internal List<FakeSocket> Sockets { get; } = new List<FakeSocket>();

    internal List<PushgateTrouble> Troubles { get; } = new List<PushgateTrouble>();

    internal FakeSocket Socket => Sockets.Last();

    internal HttpRequest Asked => Requests.Last();

    public void Ask(HttpRequest request, Action<HttpAnswer> answered)
    {
        Requests.Add(request);
        callbacks.Add(answered);
    }

    public ISocket Open(SocketRequest request, ISocketListener hear)
    {
        Sockets.Add(new FakeSocket(request, hear));
        return Socket;
    }

    /// <summary>A channel whose troubles are written down.</summary>
    internal PushgateChannel Channel(string name = "camera", ChannelOptions options = null)
    {
        PushgateChannel channel = Client.Channel(name, options);
        channel.Failed += trouble => Troubles.Add(trouble);
        return channel;
    }

    /// <summary>Lets time pass, with an update at its end.</summary>
    internal void Wait(double seconds)
    {
        Now += seconds;
        Client.Update();
    }

    /// <summary>Answers what was asked last.</summary>
    internal void Answer(int status, string body, double? retryAfter = null)
    {
        callbacks.Last()(new HttpAnswer(status, body, retryAfter));
        Client.Update();
    }

    /// <summary>Answers what was asked last with success; nobody updates.</summary>
    internal void AnswerUnseen(string body)
    {
        callbacks.Last()(new HttpAnswer(200, body, null));
    }

    /// <summary>What a login answers.</summary>
    internal static string Entered(string clientId, string token)
    {
        return "{\"client_id\":\"" + clientId + "\",\"token\":\"" + token + "\",\"expires_in\":7200}";
    }

    /// <summary>Answers a login: client <c>c1</c> with token <c>t1</c>, and so on.</summary>
    internal void LetIn(double life = 7200)
    {
        Client.Update();
        logins += 1;
        Cases.Same("http://gate.test:8080/base/login?users=none", Asked.Url);
        Answer(200, "{\"client_id\":\"c" + logins + "\",\"token\":\"t" + logins + "\",\"expires_in\":" + life + ",\"users\":[]}");
    }

    /// <summary>Answers a renewal with another token for the same client.</summary>
    internal void Renew(string clientId, string token)
    {
        Answer(200, Entered(clientId, token));
    }

    /// <summary>The gateway's first word on the newest socket.</summary>
    internal void Start(string since = "e-0")
    {
        Hear("{\"since\":\"" + since + "\"}");
    }

    internal void Hear(string text)
    {
        Socket.Hear(text);
        Client.Update();
    }

    /// <summary>Ends the newest socket.</summary>
    internal void End(int closeCode)
    {
        Socket.End(closeCode);
        Client.Update();
    }

    /// <summary>A position as it comes.</summary>
    internal static string Position(int offset, string clientId, string x)
    {
        return "{\"id\":\"e-" + offset + "\",\"client_id\":\"" + clientId + "\",\"data\":{\"x\":" + x + ",\"y\":0,\"z\":0}}";
    }
}
