package dev.pushgate;

import java.util.Random;

/** Waits of 0 to 1, 2, 4 … 30 seconds, evenly drawn, so that a crowd that was cut off spreads. */
final class Backoff {
    private static final double LONGEST = 30;

    private final Random random;
    private int failures;

    Backoff(Random random) {
        this.random = random;
    }

    /** Seconds to wait after one more failure, and never less than the gateway asks for. */
    double next(double atLeast) {
        double most = Math.min(LONGEST, 1L << Math.min(failures, 10));
        failures += 1;
        // The gateway spreads those that it turns away; a little more does no harm.
        double drawn = random.nextDouble() * (atLeast > 0 ? Math.min(most, 5) : most);
        return atLeast + drawn;
    }

    /** It went well. */
    void reset() {
        failures = 0;
    }
}
