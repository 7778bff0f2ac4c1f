using System;
using System.Linq;
using System.Reflection;

/// <summary>Runs what the rules of the package promise, without a socket and with a clock of its own.</summary>
internal static class Cases
{
    static readonly Type[] All =
    {
        typeof(JsonCases), typeof(PositionCases), typeof(InboxCases), typeof(LoginCases), typeof(ChannelCases), typeof(CameraCases),
        typeof(ComponentCases),
    };

    internal static int Run()
    {
        int failed = 0;
        foreach (MethodInfo test in All.SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public)))
        {
            try
            {
                test.Invoke(null, null);
                Console.WriteLine("ok " + test.Name);
            }
            catch (TargetInvocationException exception)
            {
                failed += 1;
                Console.WriteLine("FAILED " + test.Name + ": " + exception.InnerException.Message + Where(exception.InnerException));
            }
        }
        return failed == 0 ? 0 : 1;
    }

    /// <summary>The lines of the cases on the way to it.</summary>
    static string Where(Exception exception)
    {
        return string.Concat(exception.StackTrace.Split('\n').Where(line => line.Contains("Cases.")).Select(line => "\n" + line));
    }

    internal static void Same<T>(T expected, T got, string what = "")
    {
        if (!Equals(expected, got)) throw new InvalidOperationException(what + " expected <" + expected + "> and got <" + got + ">");
    }

    internal static void That(bool holds, string what)
    {
        if (!holds) throw new InvalidOperationException(what);
    }
}
