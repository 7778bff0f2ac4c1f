package dev.pushgate;

import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/** The one thread on which the state of a client changes; nothing on it waits. */
final class Loop {
    private static final Logger LOG = Logger.getLogger("dev.pushgate");

    private final ScheduledThreadPoolExecutor executor;

    Loop() {
        executor =
                new ScheduledThreadPoolExecutor(
                        1,
                        work -> {
                            Thread thread = new Thread(work, "pushgate");
                            thread.setDaemon(true);
                            return thread;
                        });
        executor.setRemoveOnCancelPolicy(true);
        executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    /** Takes a step behind those that were handed over before; none once the loop has ended. */
    void run(Runnable step) {
        try {
            executor.execute(guarded(step));
        } catch (RejectedExecutionException ended) {
            LOG.log(Level.FINE, "a step behind the end", ended);
        }
    }

    /** Takes a step in so many nanoseconds, unless what it answers is cancelled; null once the loop has ended. */
    Future<?> after(long nanos, Runnable step) {
        try {
            return executor.schedule(guarded(step), nanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException ended) {
            return null;
        }
    }

    /** Ends the thread once the steps that wait for nothing are taken. */
    void end() {
        executor.shutdown();
    }

    /** An executor keeps to itself what its tasks throw. */
    private static Runnable guarded(Runnable step) {
        return () -> {
            try {
                step.run();
            } catch (RuntimeException bug) {
                LOG.log(Level.SEVERE, "a bug of the client", bug);
            }
        };
    }
}
