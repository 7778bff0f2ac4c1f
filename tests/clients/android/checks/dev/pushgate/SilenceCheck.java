package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.IOException;

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
        try (Scene scene = new Scene(1)) {
            Peer peer = scene.opened();
            for (String sign : new String[] {"{\"heartbeat\":0.2}", "junk", "[]", "{\"error\":{}}"}) {
                peer.say(sign);
                Thread.sleep(400);
            }
            peer.binary(new byte[1]);
            Thread.sleep(400);
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
}
