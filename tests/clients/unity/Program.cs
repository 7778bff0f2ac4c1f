using System;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Threading;

/// <summary>
/// The Unity package in a program of its own: <c>URL CHANNEL send|receive COUNT</c>, <c>URL CHANNEL scene</c>,
/// <c>URL CHANNEL room</c> (both take commands from the standard input), or <c>cases</c>. Always in a locale that
/// writes numbers with a comma.
/// </summary>
internal static class Program
{
    static void Main(string[] arguments)
    {
        int code = Judge(arguments);
        Console.Out.Flush();
        Console.Error.Flush();
        // Mono's own end waits for the threads in the background, and now and then for one that is gone already.
        Exit(code);
    }

    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Exit(int code);

    static int Judge(string[] arguments)
    {
        var german = new CultureInfo("de-DE");
        CultureInfo.DefaultThreadCurrentCulture = german;
        Thread.CurrentThread.CurrentCulture = german;
        try
        {
            if (1.5.ToString() != "1,5") throw new InvalidOperationException("there is no German locale");
            return Run(arguments);
        }
        catch (Exception exception)
        {
            Console.Error.WriteLine(exception);
            return 1;
        }
    }

    static int Run(string[] arguments)
    {
        if (arguments.Length == 1 && arguments[0] == "cases") return Cases.Run();
        string mode = arguments.Length > 2 ? arguments[2] : "";
        int count = arguments.Length > 3 ? int.Parse(arguments[3], CultureInfo.InvariantCulture) : 0;
        if (mode == "send") new Rig(arguments[0], arguments[1]).Send(count);
        else if (mode == "receive") new Rig(arguments[0], arguments[1]).Receive(count);
        else if (mode == "scene") new SceneScript(new Rig(arguments[0], arguments[1])).Run();
        else if (mode == "room") new RoomScript(arguments[0], arguments[1]).Run();
        else throw new ArgumentException("URL CHANNEL send|receive COUNT, URL CHANNEL scene|room, or cases");
        return 0;
    }
}
