using System;
using System.Collections.Concurrent;
using System.Threading;

/// <summary>The lines of the standard input, without waiting for them.</summary>
internal sealed class CommandLines
{
    readonly ConcurrentQueue<string> lines = new ConcurrentQueue<string>();

    internal CommandLines()
    {
        new Thread(Read) { IsBackground = true }.Start();
    }

    /// <summary>The words of the next line; null where there is none yet.</summary>
    internal string[] Next()
    {
        string line;
        return lines.TryDequeue(out line) ? line.Split(' ') : null;
    }

    void Read()
    {
        for (string line = Console.In.ReadLine(); line != null; line = Console.In.ReadLine()) lines.Enqueue(line);
        lines.Enqueue("quit");
    }
}
