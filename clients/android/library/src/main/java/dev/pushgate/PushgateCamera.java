package dev.pushgate;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A scene of cameras, with this client's own among them. Every method from any thread.
 *
 * <p>Where the camera is may be said as often as it moves; what is sent is the newest, at a rate, and nothing when
 * still. A connection that is made anew is told the place once, so that nobody forgets a camera that rests.
 */
public final class PushgateCamera {
    /** Ids that were our own: what they sent may come back after a new login. */
    private static final int FORMER = 8;

    /** Earlier places to begin with: the gateway by itself tells the newest of all, which is that of one camera. */
    private static final int EARLIER = 300;

    /** Nanoseconds until a connection that takes no more is asked again. */
    private static final long FULL = TimeUnit.MILLISECONDS.toNanos(100);

    private final Gate gate;
    private final Subscription subscription;
    private final CameraListener listener;
    private final AtomicReference<Place> moved = new AtomicReference<>();
    private final Map<String, String> query = new HashMap<>();

    /** From here on the loop's own. */
    private final Pace pace = new Pace();

    private final ArrayDeque<String> own = new ArrayDeque<>();
    private Future<?> timer;

    PushgateCamera(Gate gate, String channel, CameraListener listener) {
        this.gate = gate;
        this.listener = listener;
        query.put(Stream.HISTORY, Integer.toString(EARLIER));
        subscription = new Subscription(gate, channel, query, new Face());
    }

    /** Joins the scene, or does so again after {@link CameraListener#onClose}. It stays joined until that. */
    public void open() {
        subscription.open();
    }

    /**
     * Says where this camera is.
     *
     * @param x in units of the scene
     * @param y in units of the scene; in a scene of Unity's, how high
     * @param z in units of the scene
     * @return false where one of them is infinite or no number: that cannot be sent
     */
    public boolean move(double x, double y, double z) {
        Place place = new Place(x, y, z);
        if (!place.isFinite()) {
            return false;
        }
        // One step waits at most, however often this is called.
        if (moved.getAndSet(place) == null) {
            gate.loop.run(
                    () -> {
                        pace.want(moved.getAndSet(null));
                        send();
                    });
        }
        return true;
    }

    /**
     * How often a place is sent at most; 10 a second unless it is said.
     *
     * @param rate a second, more than 0 and at most 100
     */
    public void setRate(double rate) {
        check(rate > 0 && rate <= 100, "a rate is more than 0 and at most 100 a second");
        gate.loop.run(() -> pace.setRate(rate));
    }

    /**
     * By how much a coordinate must change for the place to be sent; 0.001 unless it is said.
     *
     * @param epsilon in units of the scene, at least 0
     */
    public void setEpsilon(double epsilon) {
        check(epsilon >= 0, "an epsilon is at least 0");
        gate.loop.run(() -> pace.setEpsilon(epsilon));
    }

    /**
     * How often each other camera is heard of at most, from the next connection on; always the newest, and as often
     * as they move unless it is said. Less is less work for the radio.
     *
     * @param maxRate a second, 0.1 to 100
     */
    public void setMaxRate(double maxRate) {
        check(maxRate >= 0.1 && maxRate <= 100, "a rate that is heard is 0.1 to 100 a second");
        gate.loop.run(
                () -> {
                    query.put("max_rate", Digits.of(maxRate));
                    pace.setMaxRate(maxRate);
                });
    }

    /** Leaves the scene; behind this call nothing but {@link CameraListener#onClose} is called. */
    public void close() {
        subscription.close();
    }

    /** Sends the newest place if it is time, or sets the one timer for when it is. */
    private void send() {
        Place news = pace.news();
        if (news == null || timer != null || !subscription.stream().isOpen()) {
            return;
        }
        long now = gate.clock.nanos();
        long wait = pace.untilNext(now);
        if (wait == 0 && subscription.stream().send(news.json())) {
            pace.sent(news, now);
            return;
        }
        timer = gate.loop.after(wait > 0 ? wait : FULL, this::sendNow);
    }

    private void sendNow() {
        if (timer != null) {
            timer.cancel(false);
            timer = null;
        }
        send();
    }

    private static void check(boolean isGood, String rule) {
        if (!isGood) {
            throw new IllegalArgumentException(rule);
        }
    }

    private final class Face implements Subscription.Face {
        @Override
        public StreamListener listener() {
            return listener;
        }

        @Override
        public void opened(String clientId) {
            if (!own.contains(clientId)) {
                own.add(clientId);
            }
            if (own.size() > FORMER) {
                own.poll();
            }
            pace.opened();
            send();
        }

        @Override
        public void message(PushgateMessage message, Json data) {
            Place place = Place.of(data);
            String whose = message.clientId();
            if (place == null || whose == null) {
                return;
            }
            if (own.contains(whose)) {
                subscription.tell(() -> listener.onEcho(place.x, place.y, place.z));
                if (pace.echoed(place)) {
                    sendNow();
                }
            } else {
                subscription.tell(() -> listener.onPlace(whose, place.x, place.y, place.z));
            }
        }
    }
}
