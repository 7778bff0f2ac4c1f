package dev.pushgate;

import java.util.concurrent.TimeUnit;

/** How often a stream may be tried: a few times in any minute, whatever networks and draws bring about. */
final class Attempts {
    /** In a minute. */
    static final int MOST = 15;

    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private final long[] times = new long[MOST];
    private int count;

    /** Nanoseconds until the next one may begin. */
    long untilNext(long now) {
        if (count < MOST) {
            return 0;
        }
        long oldest = times[count % MOST];
        return Math.max(0, oldest + MINUTE - now);
    }

    /** One begins. */
    void begin(long now) {
        times[count % MOST] = now;
        count += 1;
        // Never past what an int holds, and at the same place of the ring.
        if (count == 2 * MOST) {
            count = MOST;
        }
    }
}
