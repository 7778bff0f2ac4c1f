package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

final class PaceCheck {
    private static final long MILLI = 1_000_000;

    private PaceCheck() {}

    public static void theRateIsKeptAndTheNewestIsSent() {
        Pace pace = new Pace();
        pace.want(at(0));
        same(pace.untilNext(0), 0L);
        pace.sent(pace.news(), 0);
        for (int step = 1; step <= 9; step += 1) {
            pace.want(at(step));
            same(pace.untilNext(step * 10 * MILLI), (100 - step * 10) * MILLI);
        }
        same(pace.untilNext(150 * MILLI), 0L);
        same(pace.news().x, 9.0);
        pace.setRate(20);
        same(pace.untilNext(0), 50 * MILLI);
    }

    public static void whoRestsSendsNothingAndWhoDriftsDoes() {
        Pace pace = new Pace();
        check(pace.news() == null, "nothing is known");
        pace.want(at(1));
        pace.sent(pace.news(), 0);
        check(pace.news() == null, "still");
        pace.want(at(1.001));
        check(pace.news() == null, "as good as still");
        pace.want(at(1.0011));
        check(pace.news() != null, "moved");
        pace.setEpsilon(0);
        pace.want(at(1));
        check(pace.news() == null, "back, before anybody saw");
        pace.want(new Place(1, 0, Double.MIN_VALUE));
        check(pace.news() != null, "moved at all");
    }

    public static void aNewConnectionIsToldOnceWhateverMoved() {
        Pace pace = new Pace();
        pace.opened();
        check(pace.news() == null, "there is nothing to tell");
        pace.want(at(1));
        pace.sent(pace.news(), 0);
        pace.opened();
        check(pace.news() != null, "the place once more");
        pace.sent(pace.news(), 0);
        check(pace.news() == null, "and once is enough");
    }

    public static void withoutEchoesASecondPassesBetweenTwo() {
        Pace pace = new Pace();
        long now = 0;
        for (int step = 0; step < 10; step += 1) {
            same(pace.untilNext(now), 0L);
            pace.sent(at(step), now);
            now += 100 * MILLI;
        }
        same(pace.untilNext(now), 900 * MILLI);
        now += 900 * MILLI;
        pace.sent(at(10), now);
        same(pace.untilNext(now), 1000 * MILLI);
        check(!pace.echoed(at(77)), "what was not sent says nothing");
        same(pace.untilNext(now), 1000 * MILLI);
        // The newest of several came back: the others are not to be waited for.
        check(pace.echoed(at(9)), "it goes on");
        same(pace.untilNext(now), 100 * MILLI);
        pace.opened();
        same(pace.untilNext(now), 100 * MILLI);
    }

    public static void echoesThatAreRareByWishAreNoStall() {
        for (double maxRate : new double[] {0.1, 0.2, 1, 5, 100}) {
            Pace pace = new Pace();
            pace.setMaxRate(maxRate);
            pace.opened();
            long nextEcho = 0;
            // The answers of half a second ago, the newest of them, and no more often than they were asked for.
            for (int step = 0; step < 400; step += 1) {
                long now = step * 100 * MILLI;
                if (step >= 5 && now >= nextEcho) {
                    pace.echoed(at(step - 5));
                    nextEcho = now + (long) (1e9 / maxRate);
                }
                same(pace.untilNext(now), 0L);
                pace.sent(at(step), now);
            }
            // And where none comes any more it is one.
            long now = 400 * 100 * MILLI;
            for (int step = 400; step < 400 + 10 + 10 / maxRate; step += 1) {
                pace.sent(at(step), now);
            }
            same(pace.untilNext(now), 1000 * MILLI);
        }
    }

    public static void whatIsHeardChangesWithTheNextConnection() {
        Pace pace = new Pace();
        pace.opened();
        pace.setMaxRate(0.1);
        for (int step = 0; step < 10; step += 1) {
            pace.sent(at(step), 0);
        }
        same(pace.untilNext(0), 1000 * MILLI);
        pace.opened();
        for (int step = 0; step < 109; step += 1) {
            pace.sent(at(step), 0);
        }
        same(pace.untilNext(0), 100 * MILLI);
    }

    private static Place at(double x) {
        return new Place(x, 0, 0);
    }
}
