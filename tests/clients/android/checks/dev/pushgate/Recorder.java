package dev.pushgate;

import android.os.Looper;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A listener that keeps what it hears, and that wants to hear it on the main thread. */
final class Recorder implements CameraListener, ChannelListener {
    /** Seconds that something may take before a check gives up. */
    private static final int GUARD = 10;

    private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    private final Thread thread;
    private volatile RuntimeException thrown;

    Recorder() {
        this(Looper.getMainLooper().getThread());
    }

    Recorder(Thread thread) {
        this.thread = thread;
    }

    /** From now on every callback throws this, behind what it keeps. */
    void throwing(RuntimeException what) {
        thrown = what;
    }

    /** The next thing that is heard. */
    String next() throws InterruptedException {
        String next = heard.poll(GUARD, TimeUnit.SECONDS);
        Checks.check(next != null, "nothing was heard");
        return next;
    }

    /** Fails unless this is heard next. */
    void hears(String expected) throws InterruptedException {
        Checks.same(next(), expected);
    }

    /** Passes over what is heard until something begins so, and answers that. */
    String until(String beginning) throws InterruptedException {
        String next = next();
        while (!next.startsWith(beginning)) {
            next = next();
        }
        return next;
    }

    /** Whether nothing is heard for so many milliseconds. */
    boolean isQuiet(long millis) throws InterruptedException {
        String next = heard.poll(millis, TimeUnit.MILLISECONDS);
        if (next != null) {
            System.out.println("heard " + next);
        }
        return next == null;
    }

    @Override
    public void onOpen(String clientId) {
        keep("open " + clientId);
    }

    @Override
    public void onPlace(String clientId, double x, double y, double z) {
        keep("place " + clientId + " " + Digits.of(x) + " " + Digits.of(y) + " " + Digits.of(z));
    }

    @Override
    public void onEcho(double x, double y, double z) {
        keep("echo " + Digits.of(x) + " " + Digits.of(y) + " " + Digits.of(z));
    }

    @Override
    public void onMessage(PushgateMessage message) {
        keep("message " + message.id() + " " + message.clientId() + " " + message.json());
    }

    @Override
    public void onGap(String gap) {
        keep("gap " + gap);
    }

    @Override
    public void onRefused(PushgateException error) {
        keep("refused " + error.code() + " " + error.status());
    }

    @Override
    public void onTrouble(PushgateException error, double retryIn) {
        String why = error.code() + " " + error.status() + " " + error.closeCode();
        keep("trouble " + why + " in " + Digits.of(retryIn));
    }

    @Override
    public void onClose(PushgateException error) {
        keep("closed " + (error == null ? "by us" : error.code() + " " + error.closeCode()));
    }

    private void keep(String what) {
        heard.add(Thread.currentThread() == thread ? what : what + " on " + Thread.currentThread());
        if (thrown != null) {
            throw thrown;
        }
    }
}
