package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.IOException;
import java.util.concurrent.TimeUnit;

final class CameraCheck {
    private CameraCheck() {}

    public static void placesGoOutAtTheRateAndTheLastOneAlways() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            scene.camera.setRate(50);
            long start = System.nanoTime();
            int moves = 0;
            while (System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(500)) {
                moves += 1;
                check(scene.camera.move(moves, 0.5, -1e-7), "it can be sent");
                Thread.sleep(1);
            }
            int sent = 0;
            double last = 0;
            while (last != moves) {
                Json place = Json.parse(peer.text());
                check(place.number("x") > last, "the newest, each time");
                last = place.number("x");
                same(place.get("y").text() + " " + place.get("z").text(), "0.5 -1E-7");
                sent += 1;
            }
            double most = (System.nanoTime() - start) * 1e-9 * 50 + 2;
            check(sent >= 2 && sent <= most, sent + " of " + moves + ", and at most " + most);
        }
    }

    public static void whoRestsSendsNothingUntilTheConnectionIsANewOne() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.camera.move(1, 2, 3);
            Peer peer = scene.opened();
            same(peer.text(), "{\"x\":1,\"y\":2,\"z\":3}");
            peer.say("{\"id\":\"e-1\",\"client_id\":\"c1\",\"data\":{\"x\":1,\"y\":2,\"z\":3}}");
            scene.recorder.hears("echo 1 2 3");
            scene.camera.move(1, 2, 3);
            scene.camera.move(1, 2, 3.0005);
            check(peer.textWithin(300) == null, "it rests");
            check(!scene.camera.move(1, 2, Double.NaN), "no number");
            check(!scene.camera.move(1, Double.POSITIVE_INFINITY, 3), "without an end");
            check(!scene.camera.move(Double.NEGATIVE_INFINITY, 2, 3), "without a beginning");
            check(peer.textWithin(200) == null, "it rests");
            peer.drop();
            peer = scene.again("e-1");
            same(peer.text(), "{\"x\":1,\"y\":2,\"z\":3.0005}");
            check(peer.textWithin(200) == null, "once");
        }
    }

    public static void whatWeSentAsWhoWeWereIsNoOthersPlace() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.close(4001);
            peer = scene.gateway.peer().starts("e-0");
            scene.recorder.hears("trouble closed 0 4001 in 0");
            scene.recorder.hears("open c2");
            peer.place("e-1", "c1", 1);
            peer.place("e-2", "c2", 2);
            peer.place("e-3", "c3", 3);
            scene.recorder.hears("echo 1 0 0");
            scene.recorder.hears("echo 2 0 0");
            scene.recorder.hears("place c3 3 0 0");
        }
    }

    public static void aNetworkThatCarriesNothingIsNotFilledWithOldPlaces() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            scene.camera.setRate(20);
            long start = System.nanoTime();
            int moves = 0;
            while (System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(1800)) {
                moves += 1;
                scene.camera.move(moves, 0, 0);
                Thread.sleep(2);
            }
            int sent = 0;
            while (peer.textWithin(0) != null) {
                sent += 1;
            }
            double most = 20 + (System.nanoTime() - start) * 1e-9;
            check(sent >= 20 && sent <= most, sent + " without an echo");
            scene.camera.move(-1, 0, 0);
            String newest = peer.text();
            same(newest, "{\"x\":-1,\"y\":0,\"z\":0}");
            scene.camera.move(-2, 0, 0);
            check(peer.textWithin(100) == null, "a second has not passed");
            // An echo, and it goes on at once.
            peer.say("{\"id\":\"e-1\",\"client_id\":\"c1\",\"data\":" + newest + "}");
            same(peer.textWithin(500), "{\"x\":-2,\"y\":0,\"z\":0}");
        }
    }

    public static void howMuchIsHeardIsAsked() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.camera.setMaxRate(2.5);
            scene.camera.open();
            Peer peer = scene.gateway.peer();
            check(peer.request.line.contains("&max_rate=2.5&"), peer.request.line);
        }
    }

    public static void whoHearsLessSaysNoLess() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.camera.setRate(100);
            scene.camera.setMaxRate(0.1);
            Peer peer = scene.opened();
            // A second's worth without an echo would be all, were they not asked to be rare.
            for (int number = 1; number <= 130; number += 1) {
                scene.camera.move(number, 0, 0);
                check(peer.textWithin(500) != null, "it goes on without an echo, also behind " + number);
            }
        }
    }

    public static void valuesThatMeanNothingAreRefused() throws IOException {
        try (Scene scene = new Scene()) {
            PushgateCamera camera = scene.camera;
            PushgateClient client = scene.client;
            for (double junk : new double[] {Double.NaN, -1, Double.NEGATIVE_INFINITY}) {
                refuses(() -> camera.setRate(junk));
                refuses(() -> camera.setEpsilon(junk));
                refuses(() -> camera.setMaxRate(junk));
                refuses(() -> PushgateClient.builder(null, "http://127.0.0.1").lateBy(junk));
            }
            refuses(() -> camera.setRate(0));
            refuses(() -> camera.setRate(101));
            refuses(() -> client.camera("camera/../login", new Recorder()));
            refuses(() -> client.channel("chat", 1001, new Recorder()));
            refuses(() -> PushgateClient.builder(null, "push.example.org"));
        }
    }

    private static void refuses(Runnable what) {
        try {
            what.run();
        } catch (IllegalArgumentException refused) {
            return;
        }
        throw new AssertionError("it was taken");
    }
}
