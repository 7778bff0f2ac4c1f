using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using Pushgate;
using UnityEngine;

internal static class ComponentCases
{
    public static void a_bad_address_is_told_and_does_no_harm()
    {
        var console = new List<string>();
        Action<string> write = console.Add;
        Debug.Written += write;
        var camera = new GameObject("bad").AddComponent<PushgateCamera>();
        camera.Url = "push.example.org";
        camera.enabled = true;
        Loop.Frame();
        Loop.Pause(true);
        Loop.Pause(false);
        camera.Move(new Vector3(1, 2, 3));
        camera.Reopen();
        Cases.Same(PushgateState.Closed, camera.State);
        Cases.Same(null, camera.ClientId);
        UnityEngine.Object.Destroy(camera.gameObject);
        Debug.Written -= write;
        Cases.That(console.Count == 2 && console.All(line => line.Contains("push.example.org")), string.Join("; ", console));
    }

    public static void markers_follow_each_sender()
    {
        var camera = new GameObject("scene").AddComponent<PushgateCamera>();
        var markers = new GameObject("markers").AddComponent<PushgateMarkers>();
        markers.Scene = camera;
        markers.Most = 3;
        markers.Patience = 10;
        Time.realtimeSinceStartup = 0;
        markers.enabled = true;
        foreach (string clientId in new[] { "a", "b", "a", "c", "d" }) See(camera, clientId, 1);
        Cases.Same("pushgate a, pushgate b, pushgate c", Bodies());
        See(camera, "a", 5);
        Cases.Same(5f, Body("pushgate a").transform.position.x);
        Time.realtimeSinceStartup = 8;
        See(camera, "b", 2);
        Time.realtimeSinceStartup = 12;
        Loop.Frame();
        Cases.Same("pushgate b", Bodies(), "who is not heard of goes");
        UnityEngine.Object.Destroy(Body("pushgate b"));
        See(camera, "b", 3);
        Cases.Same("pushgate b", Bodies(), "what the scene took away is made again");
        markers.enabled = false;
        Cases.Same("", Bodies());
        See(camera, "b", 3);
        Cases.Same("", Bodies());
        UnityEngine.Object.Destroy(camera.gameObject);
        UnityEngine.Object.Destroy(markers.gameObject);
    }

    /// <summary>Raises the event as if the client had been seen.</summary>
    static void See(PushgateCamera camera, string clientId, float x)
    {
        FieldInfo field = typeof(PushgateCamera).GetField("Seen", BindingFlags.Instance | BindingFlags.NonPublic);
        var seen = (Action<string, Vector3>)field.GetValue(camera);
        seen?.Invoke(clientId, new Vector3(x, 0, 0));
    }

    static string Bodies()
    {
        return string.Join(", ", GameObject.All.Select(body => body.name).Where(name => name.StartsWith("pushgate ")).OrderBy(name => name));
    }

    static GameObject Body(string name)
    {
        return GameObject.All.First(body => body.name == name);
    }
}
