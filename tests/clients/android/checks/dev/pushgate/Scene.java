package dev.pushgate;

import android.content.Context;
import android.net.ConnectivityManager;
import java.io.IOException;
import java.util.Random;

/** A fake gateway and a client of it that waits as little as it may. */
final class Scene implements AutoCloseable {
    final FakeGateway gateway;
    final Recorder recorder = new Recorder();
    final PushgateClient client;
    final PushgateCamera camera;
    private final Context context = new Context();

    Scene() throws IOException {
        this(new BackoffCheck.Drawn(0), 0.3);
    }

    Scene(Random random) throws IOException {
        this(random, 0.3);
    }

    /** With so many seconds that a heartbeat may be late. */
    Scene(double lateBy) throws IOException {
        this(new BackoffCheck.Drawn(0), lateBy);
    }

    private Scene(Random random, double lateBy) throws IOException {
        gateway = new FakeGateway();
        client =
                PushgateClient.builder(context, gateway.url())
                        .name("Ada Lovelace")
                        .lateBy(lateBy)
                        .random(random)
                        .build();
        camera = client.camera("camera/one", recorder);
    }

    /** The other end of the first connection, which is open. */
    Peer opened() throws InterruptedException, IOException {
        camera.open();
        Peer peer = gateway.peer().starts("e-0");
        recorder.hears("open " + "c" + peer.request.token().split("\\.")[0]);
        return peer;
    }

    /** The other end of the next connection, which is open. */
    Peer again(String since) throws InterruptedException, IOException {
        Peer peer = gateway.peer().starts(since);
        recorder.until("open ");
        return peer;
    }

    /** The one who hears of networks. */
    ConnectivityManager.NetworkCallback networks() {
        return connectivity().callbacks.get(0);
    }

    ConnectivityManager connectivity() {
        return (ConnectivityManager) context.getSystemService(Context.CONNECTIVITY_SERVICE);
    }

    @Override
    public void close() throws IOException {
        client.close();
        gateway.close();
    }
}
