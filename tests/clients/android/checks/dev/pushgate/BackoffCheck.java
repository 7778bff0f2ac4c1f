package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.util.Random;
import java.util.concurrent.TimeUnit;

final class BackoffCheck {
    private BackoffCheck() {}

    public static void waitsAreDrawnFromAllOfAnIntervalThatDoublesUpToThirty() {
        double[] most = {1, 2, 4, 8, 16, 30, 30, 30};
        Backoff least = new Backoff(new Drawn(0));
        Backoff longest = new Backoff(new Drawn(1));
        for (double seconds : most) {
            same(least.next(0), 0.0);
            same(longest.next(0), seconds);
        }
        longest.reset();
        same(longest.next(0), 1.0);
    }

    public static void theGatewayIsNeverAskedSoonerThanItAsksFor() {
        Backoff least = new Backoff(new Drawn(0));
        Backoff longest = new Backoff(new Drawn(1));
        for (int round = 0; round < 20; round += 1) {
            same(least.next(60), 60.0);
            check(longest.next(60) <= 65, "a little more");
        }
    }

    public static void attemptsOfAMinuteAreBounded() {
        Attempts attempts = new Attempts();
        long second = TimeUnit.SECONDS.toNanos(1);
        // A clock may well be below nothing.
        long start = -500 * second;
        int begun = 0;
        for (long now = start; now < start + 600 * second; now += second / 10) {
            if (attempts.untilNext(now) == 0) {
                attempts.begin(now);
                begun += 1;
            }
        }
        same(begun, 10 * Attempts.MOST);
        check(attempts.untilNext(start + 600 * second) <= 60 * second, "a minute at most");
    }

    /** Draws the same again and again. */
    static final class Drawn extends Random {
        private static final long serialVersionUID = 1;

        private final double drawn;

        Drawn(double drawn) {
            this.drawn = drawn;
        }

        @Override
        public double nextDouble() {
            return drawn;
        }
    }
}
