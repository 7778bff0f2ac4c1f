package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import android.net.Network;
import android.os.Build;
import android.os.Handler;
import android.os.Looper;
import android.os.SystemClock;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;

/** What changes the time, the version or the main thread of everyone, and so has the machine to itself. */
final class AloneCheck {
    private AloneCheck() {}

    public static void withoutANetworkNothingIsTriedAndItsReturnIsUsedAtOnce() throws IOException, InterruptedException {
        for (int version : new int[] {35, 23}) {
            Build.VERSION.SDK_INT = version;
            try (Scene scene = new Scene()) {
                Network wifi = new Network();
                scene.networks().onAvailable(wifi);
                Peer peer = scene.opened();
                scene.networks().onLost(wifi);
                same(peer.closed(), 0);
                check(scene.gateway.isQuiet(200), "nothing is tried");
                Network mobile = new Network();
                scene.networks().onAvailable(mobile);
                scene.again("e-0");
                scene.networks().onLost(new Network());
                check(scene.gateway.isQuiet(50), "that was none of ours");
            } finally {
                Build.VERSION.SDK_INT = 35;
            }
        }
    }

    public static void whatIsOpenedWithoutANetworkWaitsForOne() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Network wifi = new Network();
            scene.networks().onAvailable(wifi);
            scene.networks().onLost(wifi);
            scene.camera.open();
            check(scene.gateway.isQuiet(200), "nothing is tried");
            scene.networks().onAvailable(wifi);
            scene.again("e-0");
        }
    }

    public static void ofSeveralNetworksTheNewestCounts() throws IOException, InterruptedException {
        Build.VERSION.SDK_INT = 23;
        try (Scene scene = new Scene()) {
            Network mobile = new Network();
            Network wifi = new Network();
            scene.networks().onAvailable(mobile);
            scene.networks().onAvailable(wifi);
            scene.opened();
            scene.networks().onLost(mobile);
            check(scene.gateway.isQuiet(100), "that one was not in use");
            scene.networks().onAvailable(mobile);
            scene.again("e-0");
            scene.networks().onLost(mobile);
            scene.again("e-0");
        } finally {
            Build.VERSION.SDK_INT = 35;
        }
    }

    public static void whatHeldForAWhileIsWaitedForLikeTheFirstTime() throws IOException, InterruptedException {
        try (Scene scene = new Scene(new BackoffCheck.Drawn(0.125))) {
            Peer peer = scene.opened();
            for (String wait : new String[] {"0.125", "0.25", "0.5"}) {
                peer.drop();
                scene.recorder.hears("trouble unreachable 0 0 in " + wait);
                peer = scene.again("e-0");
            }
            SystemClock.jump(11_000);
            peer.drop();
            scene.recorder.hears("trouble unreachable 0 0 in 0.125");
        }
    }

    public static void afterALongSleepTheTokenIsReplacedFirst() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            Peer peer = scene.opened();
            scene.client.pause();
            same(peer.closed(), 4000);
            // Past the part of its life after which it is renewed, and then past all of it.
            SystemClock.jump(7000_000);
            scene.client.resume();
            peer = scene.again("e-0");
            same(peer.request.token(), "1.2");
            scene.client.pause();
            same(peer.closed(), 4000);
            SystemClock.jump(8000_000);
            scene.client.resume();
            peer = scene.again("e-0");
            same(peer.request.token(), "3.3");
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
