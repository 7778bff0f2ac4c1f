package dev.pushgate;

import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * When a camera sends which place: no faster than its rate, nothing when still, and always the newest.
 *
 * <p>A socket takes much more than a stalled network carries. So what has not come back as an echo is counted, and
 * beyond a second's worth of it only one place a second goes out. Where the gateway is asked for less, echoes are as
 * rare: what goes out between two of them is on top of it.
 */
final class Pace {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final ArrayDeque<Place> inFlight = new ArrayDeque<>();
    private double rate = 10;
    private double epsilon = 0.001;
    /** Seconds between two echoes that the gateway was asked for. */
    private double apart;
    private double apartNext;
    private Place wanted;
    private Place sent;
    private long sentAt;
    private boolean isOwed;

    /** Places a second at most. */
    void setRate(double rate) {
        this.rate = rate;
    }

    /** By how much a coordinate must change for the place to be sent. */
    void setEpsilon(double epsilon) {
        this.epsilon = epsilon;
    }

    /** How many echoes a second come at most, from the next connection on. */
    void setMaxRate(double maxRate) {
        apartNext = 1 / maxRate;
    }

    /** Where the camera is. */
    void want(Place place) {
        wanted = place;
    }

    /** A connection is open: it is told the place once, moved or not. */
    void opened() {
        isOwed = true;
        apart = apartNext;
        inFlight.clear();
    }

    /** The place that is to be sent; null where nothing is. */
    Place news() {
        if (wanted == null || isOwed || sent == null) {
            return wanted;
        }
        return wanted.isFarFrom(sent, epsilon) ? wanted : null;
    }

    /** Nanoseconds until something may be sent. */
    long untilNext(long now) {
        if (sent == null) {
            return 0;
        }
        long pause = isStalled() ? Math.max(SECOND, interval()) : interval();
        return Math.max(0, sentAt + pause - now);
    }

    /** This was sent now. */
    void sent(Place place, long now) {
        sent = place;
        sentAt = now;
        isOwed = false;
        if (isStalled()) {
            inFlight.poll();
        }
        inFlight.add(place);
    }

    /** This came back, and with it all that was sent before; whether something more may be sent for that. */
    boolean echoed(Place place) {
        boolean wasStalled = isStalled();
        boolean isOurs = false;
        for (Place flying : inFlight) {
            isOurs |= flying.is(place);
        }
        while (isOurs && !inFlight.isEmpty()) {
            isOurs = !inFlight.poll().is(place);
        }
        return wasStalled && !isStalled();
    }

    private boolean isStalled() {
        return inFlight.size() >= Math.max(2, rate * (1 + apart));
    }

    private long interval() {
        return (long) (SECOND / rate);
    }
}
