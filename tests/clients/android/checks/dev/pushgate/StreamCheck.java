package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import android.net.Network;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

final class StreamCheck {
    private StreamCheck() {}

    public static void itResumesAndRepeatsNothing() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.place("e-1", "other", 1);
            peer.place("e-2", "other", 2.5);
            scene.recorder.hears("place other 1 0 0");
            scene.recorder.hears("place other 2.5 0 0");
            peer.drop();
            check(scene.recorder.next().startsWith("trouble unreachable 0 0 in "), "it is told");
            peer = scene.again("e-2");
            check(peer.request.line.contains("&since=e-2 "), peer.request.line);
            peer.place("e-2", "other", 2.5);
            peer.place("e-3", "other", 3);
            scene.recorder.hears("place other 3 0 0");
        }
    }

    public static void whatIsLostIsTold() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.say("{\"gap\":{\"channel\":\"camera/one\",\"since\":\"e-0\",\"next\":\"f-7\"}}");
            scene.recorder.hears("gap {\"channel\":\"camera/one\",\"since\":\"e-0\",\"next\":\"f-7\"}");
            peer.drop();
            peer = scene.again("f-6");
            check(peer.request.line.contains("&since=f-6 "), peer.request.line);
            peer.place("f-7", "other", 7);
            scene.recorder.hears("place other 7 0 0");
            peer.say("{\"gap\":{\"channel\":\"camera/one\",\"inbox\":3}}");
            scene.recorder.hears("gap {\"channel\":\"camera/one\",\"inbox\":3}");
        }
    }

    public static void junkAndWhatIsUnknownChangeNothing() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            String[] junk = {
                "", "hello", "{", "[]", "7", "null", "\"text\"", "{}", "{\"news\":{\"of\":[\"a later version\"]}}",
                "{\"heartbeat\":-1}", "{\"heartbeat\":\"soon\"}", "{\"heartbeat\":1e999}", "{\"since\":7}", "{\"gap\":7}",
                "{\"gap\":{\"next\":7}}", "{\"error\":7}", "{\"id\":\"e-1\",\"client_id\":\"o\",\"data\":{}}",
                "{\"id\":\"e-2\",\"client_id\":\"o\",\"data\":{\"x\":1,\"y\":2}}",
                "{\"id\":\"e-3\",\"client_id\":\"o\",\"data\":{\"x\":1,\"y\":2,\"z\":\"3\"}}",
                "{\"id\":\"e-4\",\"client_id\":\"o\",\"data\":{\"x\":1,\"y\":2,\"z\":1e999}}",
                "{\"id\":\"e-5\",\"client_id\":\"o\",\"data\":{\"x\":1,\"y\":2,\"z\":NaN}}",
                "{\"id\":\"e-6\",\"client_id\":\"o\",\"data\":[1,2,3]}", "{\"id\":7,\"client_id\":7,\"data\":7}",
                "{\"id\":\"e-7\",\"data\":{\"x\":1,\"y\":2,\"z\":3}}", "{\"message\":7}",
            };
            for (String text : junk) {
                peer.say(text);
            }
            peer.binary(new byte[] {1, 2, (byte) 0xFF});
            String more = "\"new\":{\"y\":7}";
            peer.say("{\"id\":\"e-9\"," + more + ",\"client_id\":\"o\",\"data\":{\"w\":0,\"z\":3,\"y\":2,\"x\":1}}");
            scene.recorder.hears("gap {\"next\":7}");
            scene.recorder.hears("place o 1 2 3");
        }
    }

    public static void whatTheGatewayRefusesIsTold() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.say("{\"error\":{\"code\":\"rate-limited\",\"status\":429,\"detail\":\"slower\"}}");
            scene.recorder.hears("refused rate-limited 429");
            peer.say("{\"error\":{}}");
            scene.recorder.hears("refused refused 0");
        }
    }

    public static void callbacksThatThrowStopNothing() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.recorder.throwing(new IllegalStateException("on purpose"));
            Peer peer = scene.opened();
            for (int number = 1; number <= 300; number += 1) {
                peer.place("e-" + number, "other", number);
            }
            for (int number = 1; number <= 300; number += 1) {
                scene.recorder.hears("place other " + number + " 0 0");
            }
            peer.drop();
            scene.again("e-300").place("e-301", "other", 301);
            scene.recorder.hears("place other 301 0 0");
        }
    }

    public static void anExecutorThatIsGivenIsUsed() throws Exception {
        ExecutorService executor = Executors.newSingleThreadExecutor();
        Future<Thread> thread = executor.submit(Thread::currentThread);
        Recorder recorder = new Recorder(thread.get());
        try (FakeGateway gateway = new FakeGateway()) {
            PushgateClient client =
                    PushgateClient.builder(null, gateway.url()).executor(executor).build();
            PushgateChannel channel = client.channel("", 0, recorder);
            channel.open();
            Peer peer = gateway.peer().starts("e-0");
            recorder.hears("open c1");
            check(peer.request.line.startsWith("GET /ws?"), peer.request.line);
            client.close();
            recorder.hears("closed by us");
        } finally {
            executor.shutdown();
        }
    }

    public static void aGatewayMayLieBelowAPath() throws IOException, InterruptedException {
        try (FakeGateway gateway = new FakeGateway()) {
            PushgateClient client = PushgateClient.builder(null, gateway.url() + "/below/it").build();
            client.camera("/camera/a b/", new Recorder()).open();
            same(gateway.peer().request.path(), "/below/it/ws/camera/a%20b");
            client.close();
            gateway.request("/below/it/logout");
        }
    }

    public static void nothingIsHeardBehindAClose() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            // Closes in the middle of what waits on the main thread already.
            PushgateCamera[] own = new PushgateCamera[1];
            Recorder recorder = new Recorder();
            CameraListener closes =
                    new CameraListener() {
                        @Override
                        public void onPlace(String clientId, double x, double y, double z) {
                            recorder.onPlace(clientId, x, y, z);
                            own[0].close();
                        }

                        @Override
                        public void onClose(PushgateException error) {
                            recorder.onClose(error);
                        }
                    };
            own[0] = scene.client.camera("camera/two", closes);
            own[0].open();
            Peer second = scene.gateway.peer().starts("e-0");
            for (int number = 1; number <= 100; number += 1) {
                second.place("e-" + number, "other", number);
            }
            recorder.hears("place other 1 0 0");
            recorder.hears("closed by us");
            same(second.closed(), 1000);
            check(recorder.isQuiet(50), "and nothing behind it");
            peer.place("e-1", "other", 1);
            scene.recorder.hears("place other 1 0 0");
        }
    }

    public static void aNetworkThatComesEndsTheWait() throws IOException, InterruptedException {
        try (Scene scene = new Scene(new BackoffCheck.Drawn(1000))) {
            Network wifi = new Network();
            scene.networks().onAvailable(wifi);
            Peer peer = scene.opened();
            peer.drop();
            scene.recorder.hears("trouble unreachable 0 0 in 1000");
            check(scene.gateway.isQuiet(100), "it waits");
            scene.networks().onAvailable(wifi);
            peer = scene.again("e-0");
            // Another network: what is open over the old one is as good as dead.
            scene.networks().onAvailable(new Network());
            same(peer.closed(), 0);
            scene.again("e-0");
            check(scene.recorder.isQuiet(50), "no trouble");
        }
    }

    public static void itRestsWhilePausedAndGoesOnBehindIt() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.place("e-1", "other", 1);
            scene.recorder.hears("place other 1 0 0");
            scene.client.pause();
            // Not 1000, which would be the end of the presence at once.
            same(peer.closed(), 4000);
            check(scene.connectivity().callbacks.isEmpty(), "networks are not heard of");
            check(scene.gateway.isQuiet(200), "it rests");
            scene.client.pause();
            scene.client.resume();
            scene.client.resume();
            peer = scene.again("e-1");
            check(peer.request.line.contains("&since=e-1 "), peer.request.line);
            same(scene.connectivity().callbacks.size(), 1);
            check(scene.gateway.isQuiet(100), "one connection is enough");
        }
    }

    public static void whatIsOpenedWhilePausedOpensBehindIt() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.client.pause();
            scene.camera.open();
            check(scene.gateway.isQuiet(100), "it rests");
            scene.client.resume();
            scene.again("e-0");
        }
    }

    public static void attemptsAreBoundedWhateverHappens() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.camera.open();
            for (int number = 0; number < Attempts.MOST; number += 1) {
                scene.gateway.peer().drop();
            }
            check(scene.gateway.isQuiet(300), "one too many");
            scene.networks().onAvailable(new Network());
            check(scene.gateway.isQuiet(100), "one too many");
        }
    }
}
