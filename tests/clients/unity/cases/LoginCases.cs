using System;
using System.Linq;
using Pushgate;

internal static class LoginCases
{
    public static void a_login_tells_the_client_id()
    {
        var gateway = new FakeGateway();
        string told = null;
        gateway.Client.LoggedIn += clientId => told = clientId;
        gateway.Client.Login("Ada & Bob");
        gateway.LetIn();
        Cases.Same("POST name=Ada%20%26%20Bob", gateway.Asked.Method + " " + gateway.Asked.Form);
        Cases.Same(null, gateway.Asked.Token);
        Cases.Same("c1", told);
        Cases.Same("c1", gateway.Client.ClientId);
    }

    public static void a_token_is_renewed_before_it_ends()
    {
        var gateway = new FakeGateway();
        int logins = 0;
        gateway.Client.LoggedIn += clientId => logins += 1;
        gateway.Client.Login();
        gateway.LetIn(100);
        gateway.Wait(79);
        Cases.Same(1, gateway.Requests.Count);
        gateway.Wait(1.5);
        Cases.Same("t1", gateway.Asked.Token);
        gateway.Renew("c1", "t1b");
        Cases.Same("t1b", gateway.Client.Token(gateway.Now));
        Cases.Same(1, logins);
    }

    public static void a_renewal_that_fails_is_tried_again_and_then_there_is_another_login()
    {
        var gateway = new FakeGateway();
        gateway.Client.Login();
        gateway.LetIn(100);
        gateway.Wait(81);
        gateway.Answer(0, "no network");
        Cases.Same("unreachable", gateway.Troubles.Last().Error.Code);
        gateway.Wait(4);
        Cases.Same(2, gateway.Requests.Count);
        gateway.Wait(2);
        Cases.Same("t1", gateway.Asked.Token);
        gateway.Answer(401, "{\"code\":\"token-expired\",\"detail\":\"it is over\"}");
        Cases.Same("token-expired: it is over", gateway.Troubles.Last().Error.ToString());
        Cases.Same(null, gateway.Client.ClientId);
        gateway.Wait(30);
        Cases.Same(null, gateway.Asked.Token);
        gateway.LetIn();
        Cases.Same("c2", gateway.Client.ClientId);
    }

    public static void a_login_that_fails_waits_longer_and_longer_and_honours_retry_after()
    {
        var gateway = new FakeGateway { Chance = 1 };
        gateway.Client.Login();
        gateway.Client.Update();
        foreach (double expected in new double[] { 1, 2, 4, 8, 16, 30, 30 })
        {
            gateway.Answer(0, "no network");
            Cases.Same(expected, gateway.Troubles.Last().RetryIn.Value);
            int asked = gateway.Requests.Count;
            gateway.Wait(expected - 0.01);
            Cases.Same(asked, gateway.Requests.Count);
            gateway.Wait(0.02);
            Cases.Same(asked + 1, gateway.Requests.Count);
        }
        gateway.Answer(503, "", 40);
        Cases.That(gateway.Troubles.Last().RetryIn >= 40, "as long as it was asked to");
        Cases.Same("http-503", gateway.Troubles.Last().Error.Code);
        gateway.Client.Wake();
        gateway.Wait(39);
        Cases.Same(8, gateway.Requests.Count, "not even after a pause");
    }

    public static void a_login_that_is_refused_ends_the_channels()
    {
        var gateway = new FakeGateway();
        PushgateChannel channel = gateway.Channel();
        PushgateError why = null;
        channel.Closed += error => why = error;
        gateway.Client.Update();
        gateway.Client.Update();
        gateway.Answer(403, "{\"code\":\"forbidden\"}");
        Cases.Same("forbidden", why.Code);
        Cases.Same(null, gateway.Troubles.Last().RetryIn);
        Cases.Same(PushgateState.Closed, channel.State);
        gateway.Wait(1000);
        Cases.Same(1, gateway.Requests.Count);
    }

    public static void a_page_of_the_network_in_between_refuses_nothing()
    {
        var gateway = new FakeGateway();
        gateway.Client.Login();
        gateway.Client.Update();
        gateway.Answer(404, "<html>please pay</html>");
        Cases.Same("http-404", gateway.Troubles.Last().Error.Code);
        gateway.Wait(2);
        Cases.Same(2, gateway.Requests.Count);
        gateway.Answer(200, "<html>please pay</html>");
        Cases.Same("unreachable", gateway.Troubles.Last().Error.Code);
        gateway.Wait(5);
        gateway.LetIn();
        Cases.Same("c1", gateway.Client.ClientId);
    }

    public static void what_cannot_be_a_token_is_no_answer_to_a_login()
    {
        foreach (string token in new[] { "", "a b", "a\\r\\nX: y", "\u00e9", "\ud83e" })
        {
            var gateway = new FakeGateway();
            gateway.Channel();
            gateway.Client.Update();
            gateway.Renew("c1", token);
            Cases.Same("unreachable", gateway.Troubles.Last().Error.Code);
            Cases.Same(0, gateway.Sockets.Count);
        }
    }

    public static void a_logout_ends_the_client_even_if_its_login_is_late()
    {
        var gateway = new FakeGateway();
        gateway.Client.Login();
        gateway.LetIn();
        gateway.Client.Logout();
        Cases.Same("http://gate.test:8080/base/logout t1", gateway.Asked.Url + " " + gateway.Asked.Token);
        Cases.Same(null, gateway.Client.ClientId);

        var late = new FakeGateway();
        late.Client.Login();
        late.Client.Update();
        late.Client.Logout();
        Cases.Same(1, late.Requests.Count);
        late.LetIn();
        Cases.Same("http://gate.test:8080/base/logout t1", late.Asked.Url + " " + late.Asked.Token);
        late.Wait(1000);
        Cases.Same(2, late.Requests.Count);
        Cases.Same(null, late.Client.ClientId);
    }

    public static void who_leaves_during_a_login_stays_nowhere_though_nobody_updates_any_more()
    {
        foreach (bool isAnswered in new[] { false, true })
        {
            var gateway = new FakeGateway();
            gateway.Client.Login();
            gateway.Client.Update();
            if (isAnswered) gateway.AnswerUnseen(FakeGateway.Entered("c1", "t1"));
            gateway.Client.Logout();
            if (!isAnswered) gateway.AnswerUnseen(FakeGateway.Entered("c1", "t1"));
            Cases.Same("http://gate.test:8080/base/logout t1", gateway.Asked.Url + " " + gateway.Asked.Token);
            gateway.Wait(1000);
            Cases.Same("2 ", gateway.Requests.Count + " " + gateway.Client.ClientId);
        }
    }

    public static void who_leaves_during_a_renewal_leaves_with_the_new_token_too()
    {
        var gateway = new FakeGateway();
        gateway.Client.Login();
        gateway.LetIn(100);
        gateway.Wait(81);
        gateway.AnswerUnseen(FakeGateway.Entered("c1", "t1b"));
        gateway.Client.Logout();
        string[] left = gateway.Requests.Where(request => request.Url.EndsWith("/logout")).Select(request => request.Token).ToArray();
        Cases.Same("t1b t1", string.Join(" ", left));
    }

    public static void a_second_login_makes_another_client()
    {
        var gateway = new FakeGateway();
        gateway.Client.Login("one");
        gateway.LetIn();
        gateway.Client.Login("two");
        Cases.Same("t1", gateway.Asked.Token);
        gateway.LetIn();
        Cases.Same("name=two", gateway.Asked.Form);
        Cases.Same("c2", gateway.Client.ClientId);
        Cases.That(gateway.Client.IsOwn("c1") && gateway.Client.IsOwn("c2") && !gateway.Client.IsOwn(null), "both are its own");
    }

    public static void addresses_are_checked()
    {
        foreach (string bad in new[] { "", null, "push", "/x", "ftp://x", "http://" })
        {
            try
            {
                new PushgateClient(bad).Update();
            }
            catch (ArgumentException)
            {
                continue;
            }
            throw new InvalidOperationException("took " + bad);
        }
        Cases.Same("wss://h:1/b/ws", new Address("https://h:1/b/").Socket("/ws"));
        Cases.Same("http://h/login", new Address(" ws://h ").Http("/login"));
        Cases.Same("/chat/%EB%A1%9C%EB%B9%84%20x", Address.PathOf("chat/로비 x"));
        Cases.Same("/%EF%BF%BD", Address.PathOf("\ud83e"), "half a character");
        Cases.Same("", Address.PathOf(null));
        Cases.Same("/a/b", Address.PathOf("/a//b/"));
    }
}
