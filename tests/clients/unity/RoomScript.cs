using System;
using System.Globalization;
using System.Threading;
using Pushgate;

/// <summary>A chat room by the part of the package that knows nothing of Unity; says what it is told by lines.</summary>
internal sealed class RoomScript
{
    readonly PushgateClient client;
    readonly PushgateChannel room;
    readonly CommandLines lines = new CommandLines();
    double ahead;
    int tokens;
    string token;

    internal RoomScript(string url, string channel)
    {
        client = new PushgateClient(url, Platform.Here(), Now, new Random().NextDouble);
        client.Login("Ünïty");
        room = client.Channel(channel, new ChannelOptions { History = 10 });
        room.Opened += () => Console.WriteLine("open " + client.ClientId);
        room.Received += message => Console.WriteLine("said " + message.ClientId + " " + message.Data.Text);
        room.Gap += gap => Console.WriteLine("gap " + gap.Since + " " + gap.Next);
        room.Failed += trouble => Console.WriteLine("failed " + trouble.Error.Code + " " + trouble.Error.Status + " " + Seconds(trouble));
        room.Closed += error => Console.WriteLine("closed " + error);
    }

    internal void Run()
    {
        while (true)
        {
            client.Update();
            TellToken();
            string[] words = lines.Next();
            if (words == null) Thread.Sleep(5);
            else if (words[0] == "quit") break;
            else Do(words);
        }
        client.Logout();
        Thread.Sleep(200);
    }

    void Do(string[] words)
    {
        if (words[0] == "/later") ahead += double.Parse(words[1], CultureInfo.InvariantCulture);
        else if (words[0] == "/rest") client.Rest();
        else if (words[0] == "/wake") client.Wake();
        else Console.WriteLine(room.Say(string.Join(" ", words)) ? "did say" : "could not say");
    }

    /// <summary>Whole seconds until it is tried again.</summary>
    static int Seconds(PushgateTrouble trouble)
    {
        return (int)(trouble.RetryIn ?? -1);
    }

    /// <summary>The real clock, or ahead of it.</summary>
    double Now()
    {
        return MonotonicClock.Now() + ahead;
    }

    /// <summary>Prints how many tokens there were, when there is another.</summary>
    void TellToken()
    {
        if (client.ClientId == null || client.Token(0) == token) return;
        token = client.Token(0);
        tokens += 1;
        Console.WriteLine("token " + tokens);
    }
}
