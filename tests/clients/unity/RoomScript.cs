using System;
using System.Threading;
using Pushgate;

/// <summary>A chat room by the part of the package that knows nothing of Unity; says what it is told by lines.</summary>
internal sealed class RoomScript
{
    readonly PushgateClient client;
    readonly PushgateChannel room;
    readonly CommandLines lines = new CommandLines();

    internal RoomScript(string url, string channel)
    {
        client = new PushgateClient(url);
        client.Login("Ünïty");
        room = client.Channel(channel, new ChannelOptions { History = 10 });
        room.Opened += () => Console.WriteLine("open " + client.ClientId);
        room.Received += message => Console.WriteLine("said " + message.ClientId + " " + message.Data.Text);
        room.Gap += gap => Console.WriteLine("gap " + gap.Since + " " + gap.Next);
        room.Failed += trouble => Console.WriteLine("failed " + trouble.Error);
        room.Closed += error => Console.WriteLine("closed " + error);
    }

    internal void Run()
    {
        while (true)
        {
            client.Update();
            string[] words = lines.Next();
            if (words == null) Thread.Sleep(5);
            else if (words[0] == "quit") break;
            else Console.WriteLine(room.Say(string.Join(" ", words)) ? "did say" : "could not say");
        }
        client.Logout();
        Thread.Sleep(200);
    }
}
