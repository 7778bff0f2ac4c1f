package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.IOException;

final class EndingCheck {
    private EndingCheck() {}

    public static void itComesBackAfterAnyEndThatIsNotFinal() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            for (int code : new int[] {1001, 4008, 1000, 1011, 1009, 4999, 3000}) {
                peer.close(code);
                scene.recorder.hears("trouble closed 0 " + code + " in 0");
                // It has answered in good order.
                same(peer.closed(), 1000);
                peer = scene.again("e-0");
                same(peer.request.token(), "1.1");
            }
        }
    }

    public static void whoWasTooFastTwiceWaitsFiveSeconds() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.opened().close(4009);
            scene.recorder.hears("trouble closed 0 4009 in 5");
            scene.networks().onAvailable(new android.net.Network());
            check(scene.gateway.isQuiet(200), "it leaves the gateway alone");
        }
    }

    public static void whoWasKickedStaysAwayUntilItIsAskedToComeBack() throws IOException, InterruptedException {
        for (int code : new int[] {4002, 4003}) {
            try (Scene scene = new Scene()) {
                scene.opened().close(code);
                scene.recorder.hears("closed closed " + code);
                scene.networks().onAvailable(new android.net.Network());
                scene.client.pause();
                scene.client.resume();
                check(scene.gateway.isQuiet(300), "it stays away");
                scene.camera.open();
                Peer peer = scene.gateway.peer().starts("e-0");
                // After a kick every token has ended.
                same(peer.request.token(), code == 4003 ? "2.2" : "1.1");
            }
        }
    }

    public static void aTokenOfOursThatReplacedAnotherEndsNothing() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            scene.gateway.setLife(4);
            Peer peer = scene.opened();
            scene.gateway.request("/login");
            scene.gateway.setLife(7200);
            scene.gateway.request("/login");
            // Until the answer has come.
            PushgateChannel other = scene.client.channel("chat/lobby", 0, new Recorder());
            other.open();
            Peer second = scene.gateway.peer().starts("r-0");
            same(second.request.token(), "1.2");
            peer.close(4002);
            scene.recorder.hears("trouble closed 0 4002 in 0");
            same(scene.again("e-0").request.token(), "1.2");
        }
    }
}
