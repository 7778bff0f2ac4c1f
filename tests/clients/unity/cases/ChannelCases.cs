using System;
using System.Collections.Generic;
using System.Linq;
using Pushgate;

internal static class ChannelCases
{
    const string Asks = "?ids=1&start=1&beat=1&errors=1&users=none";

    public static void it_logs_in_and_opens_with_the_first_message()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = gateway.Channel("chat/로비", new ChannelOptions { History = 5, MaxRate = 2.5 });
        int opened = 0;
        channel.Opened += () => opened += 1;
        gateway.LetIn();
        string address = "ws://gate.test:8080/base/ws/chat/%EB%A1%9C%EB%B9%84" + Asks + "&history=5&max_rate=2.5";
        Cases.Same(address, gateway.Socket.Request.Url);
        Cases.Same("t1", gateway.Socket.Request.Token);
        Cases.Same(PushgateState.Connecting, channel.State);
        Cases.That(!channel.Send("{}"), "nothing is sent before it is open");
        gateway.Start("e-7");
        Cases.Same(PushgateState.Open, channel.State);
        Cases.Same("1 e-7", opened + " " + channel.Since);
        Cases.That(channel.Say("a \"b\""), "sends");
        Cases.Same("{\"message\":\"a \\\"b\\\"\"}", gateway.Socket.Sent.Single());
    }

    public static void it_resumes_behind_what_was_delivered_and_repeats_nothing()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        var got = new List<string>();
        channel.Received += message => got.Add(message.Id);
        gateway.Hear(FakeGateway.Position(1, "a", "1"));
        gateway.Hear(FakeGateway.Position(1, "a", "1"));
        gateway.Hear(FakeGateway.Position(2, "a", "1"));
        gateway.End(0);
        Cases.Same(PushgateState.Waiting, channel.State);
        gateway.Wait(1);
        Cases.That(gateway.Socket.Request.Url.EndsWith(Asks + "&since=e-2"), gateway.Socket.Request.Url);
        gateway.Start("e-2");
        gateway.Hear(FakeGateway.Position(2, "a", "1"));
        gateway.Hear(FakeGateway.Position(3, "a", "1"));
        Cases.Same("e-1 e-2 e-3", string.Join(" ", got));
    }

    public static void a_gap_is_told_and_resumed_behind()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        PushgateGap told = null;
        channel.Gap += gap => told = gap;
        gateway.Hear("{\"gap\":{\"channel\":\"camera\",\"since\":\"e-0\",\"next\":\"f-4\"}}");
        Cases.Same("e-0 f-4 f-3", told.Since + " " + told.Next + " " + channel.Since);
        gateway.Hear("{\"gap\":{\"channel\":\"camera\",\"inbox\":3}}");
        Cases.Same(3L, told.Inbox);
        Cases.Same("f-3", channel.Since);
    }

    public static void junk_and_what_nobody_has_heard_of_stop_nothing()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        int got = 0;
        channel.Received += message => got += 1;
        foreach (string junk in new[] { "", "{", "[]", "1", "null", "\"text\"", "{\"gap\":1}", "{\"error\":null}", "{\"id\":7}", "{\"heartbeat\":\"x\"}" })
        {
            gateway.Hear(junk);
        }
        gateway.Hear("{\"id\":\"e-1\",\"client_id\":\"a\",\"data\":{},\"more\":[{}],\"since\":\"zzz\"}");
        Cases.Same(PushgateState.Open, channel.State);
        Cases.Same("e-1", channel.Since);
        Cases.That(got >= 1, "what follows is delivered");
    }

    public static void every_kind_of_message_has_one_shape()
    {
        Cases.Same("id=e-1 from=a data=5", Shape("{\"id\":\"e-1\",\"client_id\":\"a\",\"data\":5}"));
        Cases.Same("id= from=a data=5", Shape("{\"client_id\":\"a\",\"data\":5}"));
        Cases.Same("id=e-1 from=a data=hi", Shape("{\"message\":\"hi\",\"client_id\":\"a\",\"datetime\":\"x\",\"id\":\"e-1\"}"));
        Cases.Same("id=e-1 from=a data=hi", Shape("{\"message\":{\"value\":\"hi\",\"client_id\":\"a\",\"id\":\"e-1\"}}"));
        Cases.Same("id= from= data=", Shape("{\"x\":1}"));
    }

    public static void what_was_not_taken_is_told_once()
    {
        var gateway = new FakeGateway();
        Open(gateway);
        gateway.Hear("{\"error\":{\"code\":\"rate-limited\",\"detail\":\"slower\",\"status\":429}}");
        PushgateTrouble trouble = gateway.Troubles.Single();
        Cases.Same("rate-limited: slower 429", trouble.Error + " " + trouble.Error.Status);
        Cases.Same(null, trouble.RetryIn);
    }

    public static void an_expired_token_is_replaced_at_once()
    {
        var gateway = new FakeGateway { Chance = 1 };
        PushgateChannel channel = Open(gateway);
        gateway.End(4001);
        gateway.Client.Update();
        Cases.Same("http://gate.test:8080/base/login?users=none", gateway.Asked.Url);
        Cases.Same(null, gateway.Asked.Token, "with a new login");
        gateway.LetIn();
        gateway.Client.Update();
        Cases.Same("t2", gateway.Socket.Request.Token);
        gateway.Start();
        Cases.Same(PushgateState.Open, channel.State);
        // The next one at once is not believed.
        gateway.End(4001);
        Cases.Same(1.0, gateway.Troubles.Last().RetryIn.Value);
    }

    public static void a_renewed_token_needs_no_login_when_the_old_one_ends()
    {
        foreach (int closeCode in new[] { 4001, 4002 })
        {
            var gateway = new FakeGateway { Chance = 1 };
            PushgateChannel channel = Open(gateway);
            gateway.Wait(6000);
            gateway.Renew("c1", "t1b");
            gateway.End(closeCode);
            gateway.Client.Update();
            Cases.Same("t1b", gateway.Socket.Request.Token, closeCode.ToString());
            Cases.Same(2, gateway.Requests.Count);
            Cases.Same(PushgateState.Connecting, channel.State);
        }
    }

    public static void who_is_kicked_or_logged_out_stays_away_until_asked()
    {
        foreach (int closeCode in new[] { 4002, 4003 })
        {
            var gateway = new FakeGateway();
            PushgateChannel channel = Open(gateway);
            PushgateError why = null;
            channel.Closed += error => why = error;
            gateway.End(closeCode);
            Cases.Same(closeCode, why.CloseCode);
            Cases.Same(PushgateState.Closed, channel.State);
            gateway.Client.Wake();
            gateway.Wait(100000);
            Cases.Same("1 1", gateway.Requests.Count + " " + gateway.Sockets.Count);
            channel.Open();
            gateway.Client.Update();
            gateway.Client.Update();
            Cases.Same(null, gateway.Asked.Token);
            gateway.LetIn();
            gateway.Client.Update();
            Cases.Same("t2", gateway.Socket.Request.Token);
        }
    }

    public static void all_other_endings_are_come_back_from()
    {
        foreach (int closeCode in new[] { 0, 1000, 1001, 1002, 1009, 1011, 4000, 4008, 4321 })
        {
            var gateway = new FakeGateway { Chance = 1 };
            Open(gateway);
            gateway.End(closeCode);
            Cases.Same(1.0, gateway.Troubles.Last().RetryIn.Value, closeCode.ToString());
            gateway.Wait(0.99);
            Cases.Same(1, gateway.Sockets.Count);
            gateway.Wait(0.02);
            Cases.Same("2 t1", gateway.Sockets.Count + " " + gateway.Socket.Request.Token);
        }
    }

    public static void who_was_too_fast_waits_five_seconds()
    {
        var gateway = new FakeGateway { Chance = 0 };
        Open(gateway);
        gateway.End(4009);
        gateway.Client.Wake();
        gateway.Wait(4.9);
        Cases.Same(1, gateway.Sockets.Count);
        gateway.Wait(0.2);
        Cases.Same(2, gateway.Sockets.Count);
    }

    public static void a_refused_connection_is_asked_about()
    {
        var gateway = new FakeGateway { Chance = 0 };
        gateway.Channel("camera/a b");
        gateway.LetIn();
        gateway.End(0);
        string asked = "GET http://gate.test:8080/base/ws/camera/a%20b" + Asks + "&why=1 t1";
        Cases.Same(asked, gateway.Asked.Method + " " + gateway.Asked.Url + " " + gateway.Asked.Token);
        gateway.Answer(503, "{\"code\":\"over-capacity\"}", 7);
        Cases.Same("over-capacity 7", gateway.Troubles.Last().Error.Code + " " + gateway.Troubles.Last().RetryIn);
        gateway.Wait(7);
        Cases.Same(2, gateway.Sockets.Count);
        gateway.End(0);
        gateway.Answer(426, "{\"code\":\"upgrade-required\"}");
        Cases.Same("unreachable", gateway.Troubles.Last().Error.Code, "refused without a reason");
        gateway.Wait(1);
        gateway.End(0);
        gateway.Answer(401, "{\"code\":\"token-invalid\"}");
        gateway.Client.Update();
        gateway.LetIn();
        gateway.Client.Update();
        Cases.Same("t2", gateway.Socket.Request.Token, "a new login for a token of another gateway");
    }

    public static void a_channel_that_is_not_there_is_given_up()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = gateway.Channel("nowhere");
        PushgateError why = null;
        channel.Closed += error => why = error;
        gateway.LetIn();
        gateway.End(0);
        gateway.Answer(404, "{\"code\":\"unknown-channel\"}");
        Cases.Same("unknown-channel", why.Code);
        channel.Open();
        gateway.Client.Update();
        Cases.Same("t1", gateway.Socket.Request.Token, "asked again it is the same client");
    }

    public static void attempts_a_minute_are_bounded()
    {
        var gateway = new FakeGateway { Chance = 0 };
        Open(gateway);
        for (int frame = 0; frame < 600; frame += 1)
        {
            if (gateway.Sockets.Count > 0 && gateway.Socket.ClosedWith == 0) gateway.End(1011);
            gateway.Wait(0.1);
        }
        Cases.That(gateway.Sockets.Count <= Attempts.Most + 1, gateway.Sockets.Count + " attempts in a minute");
        gateway.Wait(60);
        gateway.Wait(0.1);
        int before = gateway.Sockets.Count;
        Cases.That(before > Attempts.Most, "it goes on");
    }

    public static void success_forgets_failures_once_it_has_held()
    {
        var gateway = new FakeGateway { Chance = 1 };
        Open(gateway);
        foreach (double wait in new double[] { 1, 2, 4 })
        {
            gateway.End(1011);
            Cases.Same(wait, gateway.Troubles.Last().RetryIn.Value);
            gateway.Wait(wait);
            gateway.Start();
        }
        gateway.Wait(11);
        gateway.End(1011);
        Cases.Same(1.0, gateway.Troubles.Last().RetryIn.Value);
    }

    public static void silence_beyond_the_heartbeat_is_an_end()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        int got = 0;
        channel.Received += message => got += 1;
        gateway.Wait(1000);
        Cases.Same(PushgateState.Open, channel.State, "before it is known how often");
        gateway.Hear("{\"heartbeat\":25}");
        gateway.Wait(59);
        Cases.Same(PushgateState.Open, channel.State);
        gateway.Hear("{\"heartbeat\":25}");
        gateway.Wait(59);
        Cases.Same(PushgateState.Open, channel.State);
        FakeSocket dead = gateway.Socket;
        gateway.Wait(2);
        Cases.Same(PushgateState.Waiting, channel.State);
        Cases.Same(PushgateChannel.ComingBack, dead.ClosedWith);
        Cases.Same(0, got);
    }

    public static void a_connection_that_says_nothing_is_given_up()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = gateway.Channel();
        gateway.LetIn();
        FakeSocket mute = gateway.Socket;
        gateway.Wait(9);
        Cases.Same(PushgateState.Connecting, channel.State);
        gateway.Wait(2);
        Cases.Same(PushgateChannel.ComingBack, mute.ClosedWith);
        gateway.Answer(0, "no network");
        Cases.Same("unreachable", gateway.Troubles.Last().Error.Code);
        mute.Hear("{\"since\":\"e-9\"}");
        gateway.Client.Update();
        Cases.Same(PushgateState.Waiting, channel.State, "its last words are not heard");
    }

    public static void a_client_that_falls_behind_loses_nothing()
    {
        var gateway = new FakeGateway { Chance = 0 };
        PushgateChannel channel = gateway.Channel("chat", new ChannelOptions { Waiting = 5 });
        var got = new List<string>();
        channel.Received += message => got.Add(message.Id);
        gateway.LetIn();
        gateway.Start();
        for (int offset = 1; offset <= 9; offset += 1) gateway.Socket.Hear(FakeGateway.Position(offset, "a", "1"));
        Cases.Same(PushgateChannel.ComingBack, gateway.Socket.ClosedWith);
        gateway.Client.Update();
        Cases.Same("e-1 e-2 e-3 e-4 e-5", string.Join(" ", got));
        Cases.Same("slow-consumer", gateway.Troubles.Last().Error.Code);
        gateway.Client.Update();
        Cases.That(gateway.Socket.Request.Url.EndsWith("&since=e-5"), gateway.Socket.Request.Url);
    }

    public static void a_rest_puts_it_away_and_waking_takes_it_up()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        FakeSocket before = gateway.Socket;
        gateway.Client.Rest();
        Cases.Same(PushgateState.Resting, channel.State);
        Cases.Same(PushgateChannel.ComingBack, before.ClosedWith);
        gateway.Wait(100);
        Cases.Same(1, gateway.Sockets.Count);
        gateway.Client.Wake();
        gateway.Client.Update();
        Cases.That(gateway.Socket.Request.Url.EndsWith("&since=e-0"), gateway.Socket.Request.Url);
        // What is open already is left alone.
        gateway.Start();
        gateway.Client.Wake();
        gateway.Client.Update();
        Cases.Same("2 Open", gateway.Sockets.Count + " " + channel.State);
    }

    public static void waking_while_it_is_asked_why_starts_one_attempt_alone()
    {
        var gateway = new FakeGateway { Chance = 1 };
        PushgateChannel channel = gateway.Channel();
        gateway.LetIn();
        gateway.End(0);
        gateway.Client.Wake();
        gateway.Client.Update();
        Cases.Same(2, gateway.Sockets.Count);
        gateway.Answer(426, "{}");
        gateway.Start();
        Cases.Same("2 Open", gateway.Sockets.Count + " " + channel.State);
    }

    public static void a_close_says_goodbye_and_an_opening_begins_anew()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = Open(gateway);
        int closed = 0;
        channel.Closed += error => closed += error == null ? 1 : 100;
        channel.Close();
        channel.Close();
        Cases.Same("1000 1 Closed", gateway.Socket.ClosedWith + " " + closed + " " + channel.State);
        gateway.Wait(100);
        channel.Open();
        gateway.Client.Update();
        gateway.Client.Update();
        Cases.That(gateway.Socket.Request.Url.EndsWith(Asks), gateway.Socket.Request.Url);
        Cases.Same("t1", gateway.Socket.Request.Token);
    }

    public static void events_may_close_open_and_throw()
    {
        var gateway = new FakeGateway();
        var thrown = new List<string>();
        gateway.Client.Complain = exception =>
        {
            thrown.Add(exception.Message);
            throw new InvalidOperationException("this one, too");
        };
        PushgateChannel channel = Open(gateway);
        var got = new List<string>();
        channel.Received += message => { throw new InvalidOperationException(message.Id); };
        channel.Received += message =>
        {
            got.Add(message.Id);
            if (message.Id == "e-2") channel.Close();
        };
        channel.Closed += error => channel.Open();
        for (int offset = 1; offset <= 3; offset += 1) gateway.Socket.Hear(FakeGateway.Position(offset, "a", "1"));
        gateway.Client.Update();
        Cases.Same("e-1 e-2", string.Join(" ", got), "nothing behind the close");
        Cases.Same("e-1 e-2", string.Join(" ", thrown));
        gateway.Client.Update();
        Cases.Same(2, gateway.Sockets.Count);
    }

    public static void senseless_options_do_no_harm()
    {
        var gateway = new FakeGateway();
        gateway.Channel("a", new ChannelOptions { MaxRate = double.PositiveInfinity, History = -1, Waiting = -1, Since = "a&b=c" });
        gateway.LetIn();
        Cases.That(gateway.Socket.Request.Url.EndsWith(Asks + "&since=a%26b%3Dc"), gateway.Socket.Request.Url);
        gateway.Start();
        gateway.Hear(FakeGateway.Position(1, "a", "1"));
        Cases.Same(0, gateway.Troubles.Count);
    }

    public static void bad_names_are_refused()
    {
        foreach (string bad in new[] { "..", "a/./b", "a/.." })
        {
            try
            {
                new FakeGateway().Channel(bad);
            }
            catch (ArgumentException)
            {
                continue;
            }
            throw new InvalidOperationException("took " + bad);
        }
    }

    static PushgateChannel Open(FakeGateway gateway)
    {
        PushgateChannel channel = gateway.Channel();
        gateway.LetIn();
        gateway.Start();
        Cases.Same(PushgateState.Open, channel.State);
        return channel;
    }

    static string Shape(string raw)
    {
        PushgateMessage message = PushgateMessage.Read(raw);
        return "id=" + message.Id + " from=" + message.ClientId + " data=" + (message.Data.Text ?? message.Data.Digits);
    }
}
