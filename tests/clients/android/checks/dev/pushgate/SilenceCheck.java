package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import android.os.Handler;
import android.os.Looper;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;

final class SilenceCheck {
    private SilenceCheck() {}

    public static void aHalfOpenConnectionIsFound() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.say("{\"heartbeat\":0.2}");
            // The far end is there, and says nothing any more.
            scene.recorder.hears("trouble unreachable 0 0 in 0");
            same(peer.closed(), 0);
            scene.again("e-0");
        }
    }

    public static void anySignOfLifeIsOne() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            String[] signs = {"{\"heartbeat\":0.2}", "{\"heartbeat\":0.2}", "junk", "{\"error\":{}}", "{\"heartbeat\":0.2}"};
            for (String sign : signs) {
                peer.say(sign);
                Thread.sleep(200);
            }
            peer.binary(new byte[1]);
            Thread.sleep(200);
            peer.place("e-1", "other", 1);
            scene.recorder.hears("refused refused 0");
            scene.recorder.hears("place other 1 0 0");
        }
    }

    public static void whereNoHeartbeatIsPromisedSilenceMeansNothing() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.opened();
            check(scene.recorder.isQuiet(700), "all is well");
        }
    }

    public static void anApplicationThatIsBehindIsNoSilence() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            peer.say("{\"heartbeat\":0.2}");
            CountDownLatch isFree = new CountDownLatch(1);
            new Handler(Looper.getMainLooper())
                    .post(
                            () -> {
                                try {
                                    isFree.await();
                                } catch (InterruptedException stopped) {
                                    Thread.currentThread().interrupt();
                                }
                            });
            int count = Turns.MOST + 2000;
            for (int number = 1; number <= count; number += 1) {
                peer.place("e-" + number, "other", number);
            }
            // Longer than silence may be.
            Thread.sleep(800);
            peer.say("{\"heartbeat\":3600}");
            isFree.countDown();
            for (int number = 1; number <= count; number += 1) {
                scene.recorder.hears("place other " + number + " 0 0");
            }
            check(scene.recorder.isQuiet(50), "no trouble");
        }
    }
}
