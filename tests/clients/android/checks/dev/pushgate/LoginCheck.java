package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;

final class LoginCheck {
    private static final String PROBLEM = "{\"code\":\"%s\",\"detail\":\"on purpose\"}";

    private LoginCheck() {}

    public static void theTokenIsInTheHeadAndNeverInTheAddress() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            check(scene.client.clientId() == null, "nobody yet");
            Peer peer = scene.opened();
            same(scene.gateway.request("/login").token(), "");
            FakeGateway.Request upgrade = scene.gateway.request("/ws/camera/one");
            same(upgrade.token(), "1.1");
            String query = "?ids=1&start=1&users=none&errors=1&beat=1&history=300 ";
            same(upgrade.line, "GET /ws/camera/one" + query + "HTTP/1.1");
            same(scene.client.clientId(), "c1");
            scene.client.close();
            same(peer.closed(), 1000);
            same(scene.gateway.request("/logout").token(), "1.1");
            scene.recorder.hears("closed by us");
        }
    }

    public static void whoLeavesDuringALoginLeavesNobodyBehind() throws IOException, InterruptedException {
        for (boolean isForGood : new boolean[] {true, false}) {
            try (Scene scene = new Scene()) {
                CountDownLatch isAnswered = scene.gateway.hold("/login");
                scene.camera.open();
                scene.gateway.request("/login");
                if (isForGood) {
                    scene.client.close();
                } else {
                    scene.client.logout();
                }
                scene.recorder.hears("closed by us");
                scene.camera.open();
                isAnswered.countDown();
                same(scene.gateway.request("/logout").token(), "1.1");
                check(scene.gateway.isQuiet(200) == isForGood, "closed it stays, logged out it may come back");
            }
        }
    }

    public static void aTokenIsRenewedBeforeItEndsAndTheConnectionGoesOn() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.gateway.setLife(4);
            Peer peer = scene.opened();
            scene.gateway.request("/login");
            scene.gateway.setLife(7200);
            same(scene.gateway.request("/login").token(), "1.1");
            peer.place("e-1", "other", 1);
            scene.recorder.hears("place other 1 0 0");
            // The old one ends; the new one is used at once, and what was missed is asked for.
            peer.close(4001);
            Peer next = scene.again("e-1");
            same(next.request.token(), "1.2");
            check(next.request.line.contains("&since=e-1 "), next.request.line);
            same(scene.client.clientId(), "c1");
            check(scene.recorder.isQuiet(50), "all is well");
        }
    }

    public static void aTokenThatIsRefusedIsReplacedByANewLoginAtOnce() throws IOException, InterruptedException {
        // Were it not at once, it would be in half a minute.
        try (Scene scene = new Scene(new BackoffCheck.Drawn(30))) {
            String problem = String.format(PROBLEM, "token-invalid");
            scene.gateway.refuse("/ws/camera/one", "401 Unauthorized", "", problem);
            scene.camera.open();
            scene.recorder.hears("trouble token-invalid 401 0 in 0");
            Peer peer = scene.gateway.peer().starts("e-0");
            scene.recorder.hears("open c2");
            same(peer.request.token(), "2.2");
            peer.close(4001);
            scene.recorder.hears("trouble closed 0 4001 in 30");
        }
    }

    public static void aRenewalThatIsRefusedIsALogin() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.gateway.setLife(4);
            Peer peer = scene.opened();
            scene.gateway.setLife(7200);
            String problem = String.format(PROBLEM, "token-invalid");
            scene.gateway.refuse("/login", "401 Unauthorized", "", problem);
            scene.gateway.request("/login");
            same(scene.gateway.request("/login").token(), "1.1");
            // Nobody needs another one as long as this connection lives.
            check(scene.gateway.isQuiet(50), "it does");
            peer.drop();
            Peer next = scene.gateway.peer();
            same(next.request.token(), "2.2");
        }
    }

    public static void retryAfterIsHonoured() throws IOException, InterruptedException {
        String[][] refused = {
            {"/login", "429 Too Many Requests", "rate-limited", "429"},
            {"/login", "503 Service Unavailable", "draining", "503"},
            {"/ws/camera/one", "503 Service Unavailable", "over-capacity", "503"},
            {"/ws/camera/one", "429 Too Many Requests", "rate-limited", "429"},
        };
        Scene[] scenes = new Scene[refused.length];
        FakeGateway.Request[] first = new FakeGateway.Request[refused.length];
        for (int at = 0; at < refused.length; at += 1) {
            String[] each = refused[at];
            Scene scene = new Scene();
            String problem = String.format(PROBLEM, each[2]);
            scene.gateway.refuse(each[0], each[1], "Retry-After: 1\r\n", problem);
            scene.camera.open();
            first[at] = scene.gateway.request(each[0]);
            scene.recorder.hears("trouble " + each[2] + " " + each[3] + " 0 in 1");
            // Not even a network that comes is a reason to come sooner.
            scene.networks().onAvailable(new android.net.Network());
            scenes[at] = scene;
        }
        for (int at = 0; at < refused.length; at += 1) {
            try (Scene scene = scenes[at]) {
                FakeGateway.Request second = scene.gateway.request(refused[at][0]);
                check(second.at - first[at].at >= 1_000_000_000, "it came sooner");
                scene.again("e-0");
            }
        }
    }

    public static void theDateOfARetryIsHonouredAndItsLengthBounded() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            String date = "Retry-After: Sun, 01 Jan 2090 00:00:00 GMT\r\n";
            scene.gateway.refuse("/login", "503 Service Unavailable", date, "");
            scene.camera.open();
            scene.recorder.hears("trouble http-503 503 0 in 3600");
        }
    }

    public static void aRefusalOfTheGatewayIsFinalAndThatOfAStrangerIsNot() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            String page = "<html>Log in to the Wi-Fi of the hotel</html>";
            scene.gateway.refuse("/login", "200 OK", "Content-Type: text/html\r\n", page);
            scene.camera.open();
            scene.recorder.hears("trouble unreachable 0 0 in 0");
            Peer peer = scene.again("e-0");
            scene.gateway.refuse("/ws/camera/one", "404 Not Found", "", page);
            peer.drop();
            check(scene.recorder.next().startsWith("trouble unreachable 0 0 in "), "the end");
            scene.recorder.hears("trouble http-404 404 0 in 0");
            peer = scene.again("e-0");
            String problem = String.format(PROBLEM, "unknown-channel");
            scene.gateway.refuse("/ws/camera/one", "404 Not Found", "", problem);
            peer.drop();
            check(scene.recorder.next().startsWith("trouble unreachable 0 0 in "), "the end");
            scene.recorder.hears("closed unknown-channel 0");
            check(scene.gateway.isQuiet(200), "it comes back all the same");
        }
    }

    public static void aTokenThatCannotBeInAHeadIsNone() throws IOException, InterruptedException {
        String[] answers = {
            "{\"client_id\":\"c\",\"token\":\"a\\r\\nb: c\"}", "{\"client_id\":\"c\",\"token\":\"é\"}",
            "{\"client_id\":\"c\",\"token\":\"\"}", "{\"client_id\":\"c\"}", "{\"token\":\"t\"}", "[]", "",
        };
        try (Scene scene = new Scene()) {
            for (String answer : answers) {
                scene.gateway.refuse("/login", "200 OK", "", answer);
            }
            scene.camera.open();
            for (int number = 0; number < answers.length; number += 1) {
                scene.recorder.hears("trouble unreachable 0 0 in 0");
            }
            scene.again("e-0");
        }
    }

    public static void anotherLoginIsAnotherClientOnTheSameChannels() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            scene.client.login("Grace");
            same(peer.closed(), 1000);
            Peer next = scene.gateway.peer().starts("e-0");
            scene.recorder.hears("open c2");
            same(scene.gateway.request("/logout").token(), "1.1");
            scene.client.logout();
            same(next.closed(), 1000);
            scene.recorder.hears("closed by us");
            check(scene.client.clientId() == null, "nobody any more");
            same(scene.gateway.request("/logout").token(), "2.2");
            scene.camera.open();
            scene.gateway.peer().starts("e-0");
            scene.recorder.hears("open c3");
        }
    }
}
