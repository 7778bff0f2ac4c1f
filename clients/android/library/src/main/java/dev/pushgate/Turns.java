package dev.pushgate;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * The callbacks of a client: one after the other, in order, on the application's executor, whatever they throw.
 *
 * <p>Bound: readers wait for room, so that what an application is too slow for stays in the network, where the
 * gateway knows what to do about it.
 */
final class Turns {
    /** Callbacks that wait before readers do. */
    static final int MOST = 5000;

    /** Callbacks of one turn: a main thread has other things to do. */
    private static final int BATCH = 100;

    private static final Logger LOG = Logger.getLogger("dev.pushgate");

    private final Executor executor;
    private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();
    /** Messages that were read, and may become callbacks yet. */
    private int coming;
    private boolean isRunning;
    private boolean isOver;

    Turns(Executor executor) {
        this.executor = executor;
    }

    /** Calls this behind what waits already. */
    void add(Runnable callback) {
        synchronized (this) {
            if (isOver) {
                return;
            }
            waiting.add(callback);
            if (isRunning) {
                return;
            }
            isRunning = true;
        }
        begin();
    }

    /** Waits for room for one more, at most so many milliseconds; where there is, it is taken until {@link #came}. */
    synchronized boolean waitForRoom(long millis) throws InterruptedException {
        if (isFull()) {
            wait(millis);
        }
        if (isFull()) {
            return false;
        }
        coming += 1;
        return true;
    }

    /** What room was taken for is a callback by now, or will be none. */
    synchronized void came() {
        coming -= 1;
        notifyAll();
    }

    private void begin() {
        try {
            executor.execute(this::turn);
        } catch (RejectedExecutionException ended) {
            LOG.log(Level.WARNING, "the executor takes no callbacks any more: they are dropped", ended);
            synchronized (this) {
                isOver = true;
                waiting.clear();
                notifyAll();
            }
        }
    }

    private void turn() {
        for (int taken = 0; taken < BATCH; taken += 1) {
            Runnable callback = next();
            if (callback == null) {
                return;
            }
            try {
                callback.run();
            } catch (Throwable thrown) {
                LOG.log(Level.SEVERE, "a callback threw; the next ones are called all the same", thrown);
            }
        }
        begin();
    }

    private synchronized Runnable next() {
        Runnable callback = waiting.poll();
        if (callback == null) {
            isRunning = false;
        }
        if (waiting.size() + coming == MOST - 1) {
            notifyAll();
        }
        return callback;
    }

    private boolean isFull() {
        return waiting.size() + coming >= MOST;
    }
}
