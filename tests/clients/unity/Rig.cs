using System;
using System.Globalization;
using System.Threading;
using Pushgate;
using UnityEngine;

/// <summary>A scene with one Pushgate Camera and the loop that drives it.</summary>
internal sealed class Rig
{
    const int Frame = 5;
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly Transform body = new GameObject("body").transform;

    /// <summary>A camera that is not enabled yet.</summary>
    internal Rig(string url, string channel)
    {
        Camera = new GameObject("rig").AddComponent<PushgateCamera>();
        Camera.Url = url;
        Camera.Channel = channel;
        Camera.DisplayName = "Ünïty";
        Camera.Rate = 20f;
    }

    internal PushgateCamera Camera { get; }

    /// <summary>Sends distinct positions, each after the echo of the one before.</summary>
    internal void Send(int count)
    {
        int acknowledged = 0;
        Vector3 wanted = default(Vector3);
        Camera.Echoed += echo =>
        {
            if (echo.x != wanted.x || echo.y != wanted.y || echo.z != wanted.z) return;
            acknowledged += 1;
            Console.WriteLine("sent " + Text(wanted));
        };
        Camera.enabled = true;
        for (int number = 1; number <= count; number += 1)
        {
            wanted = new Vector3(number, number / 8f, number / -4f);
            Move(wanted);
            Until(() => acknowledged == number);
        }
        Leave();
    }

    /// <summary>Prints what comes of others.</summary>
    internal void Receive(int count)
    {
        int seen = 0;
        Camera.Opened += () => Console.WriteLine("ready");
        Camera.Seen += (clientId, position) =>
        {
            if (seen++ < count) Console.WriteLine("got " + clientId + " " + Text(position));
        };
        Camera.enabled = true;
        Until(() => seen >= count);
        Leave();
    }

    /// <summary>Moves what is sent.</summary>
    internal void Move(Vector3 position)
    {
        body.position = position;
        Camera.Source = body;
    }

    /// <summary>Plays until something holds.</summary>
    internal void Until(Func<bool> holds)
    {
        DateTime end = DateTime.UtcNow + Patience;
        while (!holds())
        {
            if (DateTime.UtcNow > end) throw new TimeoutException("not within " + Patience);
            Step();
        }
    }

    /// <summary>A frame.</summary>
    internal static void Step()
    {
        Loop.Frame();
        Thread.Sleep(Frame);
    }

    /// <summary>Shortest digits, and a point whatever the locale.</summary>
    internal static string Text(Vector3 position)
    {
        return Text(position.x) + " " + Text(position.y) + " " + Text(position.z);
    }

    internal static string Text(float number)
    {
        return number.ToString("R", CultureInfo.InvariantCulture);
    }

    void Leave()
    {
        UnityEngine.Object.Destroy(Camera.gameObject);
        // Its farewell is said by threads that end with the process.
        Thread.Sleep(200);
        Console.WriteLine("done");
    }
}
