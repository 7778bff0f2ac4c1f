using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using Pushgate;
using UnityEngine;

/// <summary>A camera that does what it is told by lines, and prints what it hears.</summary>
internal sealed class SceneScript
{
    readonly Rig rig;
    readonly int main = Thread.CurrentThread.ManagedThreadId;
    readonly CommandLines lines = new CommandLines();

    internal SceneScript(Rig rig)
    {
        this.rig = rig;
        PushgateCamera camera = rig.Camera;
        camera.Opened += () => Print("open " + camera.ClientId);
        camera.Seen += (clientId, position) => Print("got " + clientId + " " + Rig.Text(position));
        camera.Echoed += position => Print("echo " + Rig.Text(position));
        camera.Gap += gap => Print("gap " + gap.Since + " " + gap.Next);
        camera.Failed += trouble => Print("failed " + Text(trouble.Error) + " " + (trouble.RetryIn == null ? "for good" : "for now"));
        camera.Closed += error => Print("closed " + (error == null ? "by us" : Text(error)));
        UnityEngine.Debug.Written += text => Print("console " + text);
    }

    internal void Run()
    {
        rig.Camera.enabled = true;
        while (true)
        {
            string[] words = lines.Next();
            if (words == null) Rig.Step();
            else if (words[0] == "quit") return;
            else Do(words);
        }
    }

    void Do(string[] words)
    {
        PushgateCamera camera = rig.Camera;
        switch (words[0])
        {
            case "move":
                rig.Move(new Vector3(Number(words[1]), Number(words[2]), Number(words[3])));
                break;
            case "rate":
                camera.Rate = Number(words[1]);
                break;
            case "enable":
            case "disable":
                camera.enabled = words[0] == "enable";
                break;
            case "pause":
            case "resume":
                Loop.Pause(words[0] == "pause");
                break;
            case "stall":
                Stall();
                break;
            case "dance":
                Dance((int)Number(words[1]));
                break;
            case "reopen":
                camera.Reopen();
                break;
            case "throw":
                Throw(camera);
                break;
            case "destroy":
                UnityEngine.Object.Destroy(camera.gameObject);
                break;
            default:
                throw new ArgumentException(words[0]);
        }
        Print("did " + words[0]);
    }

    /// <summary>Moves in each of so many frames, and prints the milliseconds that it took.</summary>
    void Dance(int frames)
    {
        var watch = Stopwatch.StartNew();
        for (int frame = 1; frame <= frames; frame += 1)
        {
            rig.Move(new Vector3(1000 + frame, 0, 0));
            Rig.Step();
        }
        Print("danced " + watch.ElapsedMilliseconds);
    }

    /// <summary>As while a scene loads: no frames until the next line.</summary>
    void Stall()
    {
        Print("stalls");
        while (lines.Next() == null) Thread.Sleep(5);
    }

    static void Throw(PushgateCamera camera)
    {
        camera.Seen += (clientId, position) => { throw new InvalidOperationException("thrown in code"); };
        camera.Seen += (clientId, position) => Console.WriteLine("behind it " + Rig.Text(position));
        camera.Events.seen.AddListener((clientId, position) => { throw new InvalidOperationException("thrown in the inspector"); });
    }

    void Print(string line)
    {
        if (Thread.CurrentThread.ManagedThreadId != main) Console.WriteLine("on another thread:");
        Console.WriteLine(line);
    }

    static string Text(PushgateError error)
    {
        return error.Code + " " + error.Status + " " + error.CloseCode;
    }

    static float Number(string word)
    {
        return float.Parse(word, CultureInfo.InvariantCulture);
    }
}
