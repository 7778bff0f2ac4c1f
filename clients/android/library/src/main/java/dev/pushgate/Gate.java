package dev.pushgate;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;

/**
 * A gateway as one client of it: who this is, its token, its streams, and whether there is a network.
 *
 * <p>Owner: the loop, on which every method but {@link #clientId} is called.
 */
final class Gate {
    private static final long RENEW_SOONEST = TimeUnit.MILLISECONDS.toNanos(500);
    private static final double RENEW_AGAIN = 60;

    final Loop loop;
    final Clock clock;
    final Random random;
    final Turns turns;
    final OkHttpClient http;
    /** Seconds that a sign of life may be late. */
    final double lateBy;

    private final HttpUrl base;
    private final Login login;
    private final Set<Stream> streams = new LinkedHashSet<>();
    private final List<Waiter> waiters = new ArrayList<>();
    private volatile String clientId;
    private String name;
    private Identity identity;
    private Future<?> renewal;
    private int round;
    /** Logins and farewells whose answers have not come. */
    private int unanswered;
    private Runnable whenAnswered;
    private boolean isEntering;
    private boolean isPaused;
    private boolean isOffline;

    Gate(HttpUrl base, OkHttpClient http, Loop loop, Clock clock, Random random, Turns turns, double lateBy) {
        this.base = base;
        this.http = http;
        this.loop = loop;
        this.clock = clock;
        this.random = random;
        this.turns = turns;
        this.lateBy = lateBy;
        login = new Login(http, base, loop, clock);
    }

    /** Whoever needs a token to go on. */
    interface Waiter {
        void have(Identity identity);

        void failed(PushgateException failure);
    }

    /** Who this client is; null before a login. */
    String clientId() {
        return clientId;
    }

    /** The address of a verb on a channel. */
    HttpUrl.Builder address(String verb, List<String> segments) {
        HttpUrl.Builder address = base.newBuilder().addPathSegment(verb);
        for (String segment : segments) {
            address.addPathSegment(segment);
        }
        return address;
    }

    /** Whether streams are to rest. */
    boolean isPaused() {
        return isPaused;
    }

    /** Whether there is no network, as far as the system tells. */
    boolean isOffline() {
        return isOffline;
    }

    void add(Stream stream) {
        streams.add(stream);
    }

    void remove(Stream stream) {
        streams.remove(stream);
    }

    /** Gets the token to connect with: at once, or after a login or a renewal; behind a close nobody gets any. */
    void token(Waiter waiter) {
        if (whenAnswered != null) {
            return;
        }
        if (identity != null && identity.untilOld(clock.nanos()) > 0) {
            waiter.have(identity);
            return;
        }
        waiters.add(waiter);
        if (!isEntering) {
            enter();
        }
    }

    /** {@code token} was refused: whoever asks next gets a new one. */
    void drop(String token) {
        if (identity != null && identity.token.equals(token)) {
            become(null);
        }
    }

    /** Whether {@code token} was replaced by a newer one of ours. */
    boolean isStale(String token) {
        return identity != null && !identity.token.equals(token);
    }

    /** The name to log in under. */
    void setName(String as) {
        name = as;
    }

    /** Becomes a new client of this name, and the old one is gone. */
    void login(String as) {
        if (whenAnswered != null) {
            return;
        }
        name = as;
        Identity before = identity;
        forget();
        for (Stream stream : copyOfStreams()) {
            stream.renew();
        }
        if (before != null) {
            leave(before);
        }
        if (!isEntering) {
            enter();
        }
    }

    /** Closes all streams, and ends presence and tokens. */
    void logout() {
        Identity before = identity;
        forget();
        for (Stream stream : copyOfStreams()) {
            stream.close();
        }
        if (before != null) {
            leave(before);
        }
    }

    /** Logs out for good; {@code done} is called when nobody is left behind, not even by a login under way. */
    void close(Runnable done) {
        logout();
        whenAnswered = done;
        endIfAnswered();
    }

    /** Rests: no connection, no timer. */
    void pause() {
        if (isPaused) {
            return;
        }
        isPaused = true;
        cancelRenewal();
        for (Stream stream : copyOfStreams()) {
            stream.pause();
        }
    }

    /** Goes on where it was. */
    void resume() {
        if (!isPaused) {
            return;
        }
        isPaused = false;
        // What the system last said may be long past; it will say so again.
        isOffline = false;
        if (identity != null) {
            planRenewal(identity.untilOld(clock.nanos()));
        }
        for (Stream stream : copyOfStreams()) {
            stream.resume();
        }
    }

    /** There is a network; another than before where {@code isOther}. */
    void networkCame(boolean isOther) {
        isOffline = false;
        for (Stream stream : copyOfStreams()) {
            stream.networkCame(isOther);
        }
    }

    /** There is none any more. */
    void networkWent() {
        isOffline = true;
        for (Stream stream : copyOfStreams()) {
            stream.networkWent();
        }
    }

    private void enter() {
        isEntering = true;
        unanswered += 1;
        int mine = ++round;
        boolean isAlive = identity != null && !identity.hasEnded(clock.nanos());
        Identity old = isAlive ? identity : null;
        login.enter(
                name,
                old == null ? null : old.token,
                new Login.Answer() {
                    @Override
                    public void entered(Identity entered) {
                        if (mine == round) {
                            isEntering = false;
                            become(entered);
                            answer(entered, null);
                        } else {
                            // Overtaken by a logout, or another login: nobody is to stay behind.
                            leave(entered);
                        }
                        answered();
                    }

                    @Override
                    public void failed(PushgateException failure) {
                        if (mine == round) {
                            isEntering = false;
                            notEntered(old, failure);
                        }
                        answered();
                    }
                });
    }

    private void leave(Identity whose) {
        unanswered += 1;
        login.leave(whose.token, () -> loop.run(this::answered));
    }

    private void answered() {
        unanswered -= 1;
        endIfAnswered();
    }

    private void endIfAnswered() {
        if (whenAnswered != null && unanswered == 0) {
            whenAnswered.run();
        }
    }

    private void notEntered(Identity old, PushgateException failure) {
        if (old != null && failure.isAboutToken()) {
            drop(old.token);
            if (!waiters.isEmpty()) {
                enter();
            }
            return;
        }
        if (old != null && identity == old && !old.hasEnded(clock.nanos())) {
            // The old token is good for a while.
            planRenewal((long) (Math.max(RENEW_AGAIN, failure.retryAfter()) * 1e9));
            answer(old, null);
            return;
        }
        answer(null, failure);
    }

    private void answer(Identity entered, PushgateException failure) {
        List<Waiter> asked = new ArrayList<>(waiters);
        waiters.clear();
        for (Waiter waiter : asked) {
            if (entered != null) {
                waiter.have(entered);
            } else {
                waiter.failed(failure);
            }
        }
    }

    /** Nobody any more; what is under way is not heard. */
    private void forget() {
        round += 1;
        isEntering = false;
        waiters.clear();
        become(null);
    }

    private void become(Identity next) {
        cancelRenewal();
        identity = next;
        clientId = next == null ? null : next.clientId;
        if (next != null) {
            planRenewal(next.untilOld(clock.nanos()));
        }
    }

    /** A token lives on in the one that renews it. */
    private void planRenewal(long wait) {
        cancelRenewal();
        if (isPaused) {
            return;
        }
        renewal =
                loop.after(
                        Math.max(RENEW_SOONEST, wait),
                        () -> {
                            if (identity != null && !isEntering) {
                                enter();
                            }
                        });
    }

    private void cancelRenewal() {
        if (renewal != null) {
            renewal.cancel(false);
            renewal = null;
        }
    }

    private List<Stream> copyOfStreams() {
        return new ArrayList<>(streams);
    }
}
