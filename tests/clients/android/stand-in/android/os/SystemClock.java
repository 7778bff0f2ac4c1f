package android.os;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** The time since some moment, and as much as a check has it jump. */
public final class SystemClock {
    private static final AtomicLong JUMPED = new AtomicLong();

    private SystemClock() {}

    public static long elapsedRealtime() {
        return TimeUnit.NANOSECONDS.toMillis(elapsedRealtimeNanos());
    }

    public static long elapsedRealtimeNanos() {
        return System.nanoTime() + JUMPED.get();
    }

    public static void jump(long millis) {
        JUMPED.addAndGet(TimeUnit.MILLISECONDS.toNanos(millis));
    }
}
