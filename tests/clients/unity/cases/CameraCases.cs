using System;
using System.Collections.Generic;
using System.Linq;
using Pushgate;

internal static class CameraCases
{
    public static void it_sends_when_it_opens_and_when_it_has_moved()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        camera.Move(new CameraPosition(1, 0.5, -2));
        gateway.Wait(1);
        Cases.Same("{\"x\":1,\"y\":0.5,\"z\":-2}", gateway.Socket.Sent.Single());
        for (int frame = 0; frame < 100; frame += 1)
        {
            camera.Move(new CameraPosition(1 + (frame % 2 * 0.0009), 0.5, -2));
            gateway.Wait(0.1);
        }
        Cases.Same(1, gateway.Socket.Sent.Count, "who stands still sends nothing");
        camera.Move(new CameraPosition(1, 0.5, -2.0011));
        gateway.Wait(0.1);
        Cases.Same(2, gateway.Socket.Sent.Count);
        gateway.End(0);
        gateway.Wait(1);
        gateway.Start();
        gateway.Wait(0.1);
        Cases.Same("{\"x\":1,\"y\":0.5,\"z\":-2.0011}", gateway.Socket.Sent.Single(), "once after each opening");
    }

    public static void it_begins_with_whom_there_was_before()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        Cases.That(gateway.Socket.Request.Url.EndsWith("&history=300"), gateway.Socket.Request.Url);
        gateway.End(0);
        gateway.Wait(1);
        Cases.That(gateway.Socket.Request.Url.EndsWith("&since=e-0"), gateway.Socket.Request.Url);
        camera.Channel.Close();
        camera.Channel.Open();
        gateway.Client.Update();
        Cases.That(gateway.Socket.Request.Url.EndsWith("&history=300"), gateway.Socket.Request.Url);
    }

    public static void the_rate_is_kept()
    {
        foreach (double rate in new double[] { 10, 20, 2.5 })
        {
            var gateway = new FakeGateway();
            CameraChannel camera = Open(gateway);
            camera.Rate = rate;
            var times = new List<double>();
            for (int frame = 0; frame < 6000; frame += 1)
            {
                camera.Move(new CameraPosition(frame, 0, 0));
                int before = gateway.Socket.Sent.Count;
                gateway.Wait(1.0 / 60);
                if (gateway.Socket.Sent.Count > before) times.Add(gateway.Now);
            }
            Cases.That(Math.Abs(times.Count - (100 * rate)) <= 2, times.Count + " in 100 s at " + rate + " a second");
            double shortest = Enumerable.Range(1, times.Count - 1).Min(index => times[index] - times[index - 1]);
            Cases.That(shortest > (1 / rate) - (1.0 / 60) - 0.0001, "two within " + shortest);
        }
    }

    public static void a_rate_of_none_sends_nothing_and_may_be_changed()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        foreach (double none in new[] { 0, -1, double.NaN })
        {
            camera.Rate = none;
            camera.Move(new CameraPosition(1, 0, 0));
            gateway.Wait(100);
            Cases.Same(0, gateway.Socket.Sent.Count);
        }
        camera.Rate = 10;
        gateway.Wait(0.01);
        Cases.Same(1, gateway.Socket.Sent.Count);
    }

    public static void a_pause_is_not_made_up_for()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        camera.Move(new CameraPosition(1, 0, 0));
        gateway.Wait(0.01);
        gateway.Wait(100);
        for (int frame = 0; frame < 10; frame += 1)
        {
            camera.Move(new CameraPosition(2 + frame, 0, 0));
            gateway.Wait(0.01);
        }
        Cases.Same(2, gateway.Socket.Sent.Count);
    }

    public static void of_what_the_network_does_not_take_the_newest_is_sent()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        camera.Move(new CameraPosition(1, 0, 0));
        gateway.Wait(1);
        gateway.Socket.IsBusy = true;
        for (int frame = 2; frame <= 50; frame += 1)
        {
            camera.Move(new CameraPosition(frame, 0, 0));
            gateway.Wait(1);
        }
        gateway.Socket.IsBusy = false;
        gateway.Wait(0.01);
        Cases.Same("{\"x\":50,\"y\":0,\"z\":0}", gateway.Socket.Sent.Last());
        Cases.Same(2, gateway.Socket.Sent.Count);
    }

    public static void what_is_no_number_is_not_sent()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        camera.Move(new CameraPosition(double.NaN, 0, 0));
        camera.Move(new CameraPosition(0, double.PositiveInfinity, 0));
        camera.Move(CameraPosition.FromSingle(0, 0, float.NegativeInfinity));
        camera.Move(CameraPosition.FromSingle(float.NaN, 0, 0));
        gateway.Wait(1);
        Cases.Same(0, gateway.Socket.Sent.Count);
    }

    public static void single_precision_keeps_its_digits()
    {
        Cases.Same("{\"x\":0.1,\"y\":-16777216,\"z\":3.4028235E+38}", CameraPosition.FromSingle(0.1f, -16777216f, float.MaxValue).ToJson());
        float[] numbers = { 1f / 3, 1e-7f, 123.456f, float.Epsilon, (float)Math.PI, 8388609f, 0f };
        foreach (float number in numbers) Cases.Same(number, (float)CameraPosition.FromSingle(number, 0, 0).X);
    }

    public static void others_are_seen_and_echoes_are_our_own()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        var told = new List<string>();
        camera.Seen += sighting => told.Add(sighting.ClientId + sighting.Position);
        camera.Echoed += position => told.Add("own" + position);
        gateway.Hear(FakeGateway.Position(1, "c1", "1.5"));
        gateway.Hear(FakeGateway.Position(2, "a", "-1e2"));
        // Of a client that we were before a new login.
        gateway.End(4001);
        gateway.Client.Update();
        gateway.LetIn();
        gateway.Client.Update();
        gateway.Start();
        gateway.Hear(FakeGateway.Position(3, "c1", "2"));
        gateway.Hear(FakeGateway.Position(4, "c2", "3"));
        Cases.Same("own(1.5, 0, 0) a(-100, 0, 0) own(2, 0, 0) own(3, 0, 0)", string.Join(" ", told));
    }

    public static void what_is_no_position_is_passed_over()
    {
        var gateway = new FakeGateway();
        CameraChannel camera = Open(gateway);
        int seen = 0;
        camera.Seen += sighting => seen += 1;
        string[] data =
        {
            "{}", "{\"x\":1,\"y\":2}", "{\"x\":\"1\",\"y\":2,\"z\":3}", "{\"x\":null,\"y\":2,\"z\":3}", "{\"x\":1e999,\"y\":2,\"z\":3}", "[1,2,3]",
            "null", "7",
        };
        int offset = 0;
        foreach (string one in data) gateway.Hear("{\"id\":\"e-" + ++offset + "\",\"client_id\":\"a\",\"data\":" + one + "}");
        gateway.Hear("{\"x\":1,\"y\":2,\"z\":3}");
        gateway.Hear("{\"message\":\"hi\",\"client_id\":\"a\",\"id\":\"e-20\"}");
        Cases.Same(0, seen);
        gateway.Hear("{\"id\":\"e-21\",\"client_id\":\"a\",\"data\":{\"x\":1,\"y\":2,\"z\":3,\"w\":4}}");
        Cases.Same(1, seen);
    }

    static CameraChannel Open(FakeGateway gateway)
    {
        var camera = new CameraChannel(gateway.Client);
        gateway.LetIn();
        gateway.Start();
        Cases.Same(PushgateState.Open, camera.Channel.State);
        return camera;
    }
}
