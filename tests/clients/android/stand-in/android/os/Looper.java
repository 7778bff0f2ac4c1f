package android.os;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** The one looper there is: a thread that does what handlers post. */
public final class Looper {
    private static final Looper MAIN = new Looper();

    private final BlockingQueue<Runnable> posted = new LinkedBlockingQueue<>();
    private final Thread thread = new Thread(this::loop, "main-looper");

    private Looper() {
        thread.setDaemon(true);
        thread.start();
    }

    public static Looper getMainLooper() {
        return MAIN;
    }

    public Thread getThread() {
        return thread;
    }

    boolean post(Runnable work) {
        return posted.add(work);
    }

    private void loop() {
        try {
            for (;;) {
                posted.take().run();
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }
}
