package dev.pushgate;

import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import okhttp3.HttpUrl;
import okhttp3.Request;

/**
 * One subscription, whatever becomes of its connections: it resumes, never repeats, and tells what is lost.
 *
 * <p>Owner: the loop, on which every method but {@link #send} is called.
 */
final class Stream {
    /** The key of the query that a stream asks with once, as long as it has no position. */
    static final String HISTORY = "history";

    /** A close code that leaves time to come back; 1000 would end the presence at once. */
    private static final int COMING_BACK = 4000;

    private static final int NORMAL = 1000;

    /** For a login, a connection and its first message together. */
    private static final long PATIENCE = TimeUnit.SECONDS.toNanos(30);

    /** How long a connection must hold for its end to count as the first failure. */
    private static final long STEADY = TimeUnit.SECONDS.toNanos(10);

    private final Gate gate;
    private final List<String> segments;
    private final Map<String, String> query;
    private final Hear hear;
    private final Since since = new Since();
    private final Backoff backoff;
    private final Attempts attempts = new Attempts();
    private State state = State.CLOSED;
    private Identity identity;
    private Socket connecting;
    private volatile Socket live;
    private Future<?> timer;
    private int attempt;
    private int refusedTokens;
    private long openedAt;
    private long notBefore;

    /**
     * A stream that is closed.
     *
     * @param segments of the channel's name
     * @param query beside what every stream asks for; changed on the loop alone
     */
    Stream(Gate gate, List<String> segments, Map<String, String> query, Hear hear) {
        this.gate = gate;
        this.segments = segments;
        this.query = query;
        this.hear = hear;
        backoff = new Backoff(gate.random);
        notBefore = gate.clock.nanos();
    }

    /** Hears, on the loop, what a stream brings. */
    interface Hear {
        /** A connection is open, at first and after each interruption. */
        void opened(String clientId);

        /** A message, once and in order. */
        void message(PushgateMessage message, Json data);

        /** Messages are lost for good. */
        void gap(String gap);

        /** Something that was sent is refused. */
        void refused(PushgateException failure);

        /** It is tried again in so many seconds. */
        void trouble(PushgateException failure, double retryIn);

        /** It is over; null where we closed it. */
        void ended(PushgateException failure);
    }

    private enum State {
        CLOSED,
        CONNECTING,
        OPEN,
        WAITING,
        PAUSED
    }

    /** Begins, or begins again where it was. */
    void open() {
        if (state != State.CLOSED) {
            return;
        }
        gate.add(this);
        refusedTokens = 0;
        state = State.PAUSED;
        if (!gate.isPaused()) {
            resume();
        }
    }

    /** Ends for good. */
    void close() {
        finish(null);
    }

    /** Whether a connection is open. */
    boolean isOpen() {
        return state == State.OPEN;
    }

    /** Sends a text over the open connection; false where there is none, or it is full. Any thread. */
    boolean send(String text) {
        Socket open = live;
        return open != null && open.send(text);
    }

    /** Lets go of the connection, and of every timer. */
    void pause() {
        if (state != State.CLOSED) {
            cut(COMING_BACK);
            state = State.PAUSED;
        }
    }

    /** Goes on. */
    void resume() {
        if (state == State.PAUSED) {
            tryIn(0);
        }
    }

    /** Goes on as who this client is now. */
    void renew() {
        if (state == State.CLOSED || state == State.PAUSED) {
            return;
        }
        cut(NORMAL);
        tryIn(0);
    }

    /** There is a network. A connection over another one is dead, or soon will be; whoever waits need not. */
    void networkCame(boolean isOther) {
        boolean isBusy = state == State.CONNECTING || state == State.OPEN;
        if (state == State.WAITING || isBusy && isOther) {
            cut(0);
            tryIn(0);
        }
    }

    /** There is none: nothing is tried, and no timer runs, until there is one again. */
    void networkWent() {
        if (state == State.CONNECTING || state == State.OPEN || state == State.WAITING) {
            cut(0);
            state = State.WAITING;
        }
    }

    /** Tries after so many nanoseconds, or as soon as it may. */
    private void tryIn(long nanos) {
        long now = gate.clock.nanos();
        long wait = Math.max(nanos, Math.max(notBefore - now, attempts.untilNext(now)));
        state = State.WAITING;
        if (gate.isOffline()) {
            return;
        }
        if (wait > 0) {
            timer = gate.loop.after(wait, () -> tryIn(0));
        } else {
            attempts.begin(now);
            connect();
        }
    }

    private void connect() {
        state = State.CONNECTING;
        attempt += 1;
        int mine = attempt;
        PushgateException late = PushgateException.unreachable("no connection within its time", null);
        timer = gate.loop.after(PATIENCE, () -> failed(late));
        gate.token(
                new Gate.Waiter() {
                    @Override
                    public void have(Identity found) {
                        if (mine == attempt) {
                            dial(found);
                        }
                    }

                    @Override
                    public void failed(PushgateException failure) {
                        if (mine == attempt) {
                            Stream.this.failed(failure);
                        }
                    }
                });
    }

    private void dial(Identity as) {
        identity = as;
        // The token is in a head, not in the address, where proxies would log it.
        Request request =
                new Request.Builder()
                        .url(address())
                        .header("Authorization", "Bearer " + as.token)
                        .build();
        connecting =
                Socket.open(
                        gate,
                        request,
                        new Socket.Hear() {
                            @Override
                            public void message(Json message) {
                                heard(message);
                            }

                            @Override
                            public void ended(PushgateException failure) {
                                lost(failure);
                            }
                        });
    }

    private HttpUrl address() {
        HttpUrl.Builder address = gate.address("ws", segments);
        address.addQueryParameter("ids", "1").addQueryParameter("start", "1");
        address.addQueryParameter("users", "none").addQueryParameter("errors", "1");
        address.addQueryParameter("beat", "1");
        for (Map.Entry<String, String> entry : query.entrySet()) {
            if (since.id() == null || !entry.getKey().equals(HISTORY)) {
                address.addQueryParameter(entry.getKey(), entry.getValue());
            }
        }
        if (since.id() != null) {
            address.addQueryParameter("since", since.id());
        }
        return address.build();
    }

    private void heard(Json message) {
        if (state == State.CONNECTING) {
            // Some proxies let the upgrade through and nothing after it: so it is the first message that opens.
            opened();
            if (message.string("since") != null && message.size() == 1) {
                since.startAt(message.string("since"));
                return;
            }
        }
        Json gap = message.get("gap");
        Json error = message.get("error");
        if (gap != null && gap.isObject()) {
            String next = gap.string("next");
            if (next != null) {
                since.skipTo(next);
            }
            hear.gap(gap.text());
        } else if (error != null && error.isObject() && message.size() == 1) {
            hear.refused(PushgateException.refused(error));
        } else {
            published(message);
        }
    }

    private void published(Json message) {
        Json inner = message.get("message");
        Json named = inner != null && inner.isObject() ? inner : message;
        // Kinds whose messages have no id come wrapped.
        Json data = message.get("data");
        if (data == null && inner == null) {
            // A kind of message that this version does not know.
            return;
        }
        String id = named.string("id");
        if (id == null || since.advance(id)) {
            Json told = data == null ? message : data;
            hear.message(new PushgateMessage(id, named.string("client_id"), told.text()), told);
        }
    }

    private void opened() {
        timer.cancel(false);
        state = State.OPEN;
        openedAt = gate.clock.nanos();
        live = connecting;
        hear.opened(identity.clientId);
    }

    private void lost(PushgateException failure) {
        if (state == State.OPEN && gate.clock.nanos() - openedAt >= STEADY) {
            backoff.reset();
            refusedTokens = 0;
        }
        failed(failure);
    }

    private void failed(PushgateException failure) {
        String token = identity == null ? null : identity.token;
        cut(0);
        boolean isAboutToken = failure.isAboutToken();
        // Another channel of ours has connected with a newer token.
        boolean isReplaced = failure.closeCode() == 4002 && gate.isStale(token);
        if (isAboutToken || failure.closeCode() == 4003) {
            gate.drop(token);
        }
        if (failure.isFinal() && !isReplaced) {
            finish(failure);
            return;
        }
        // With another token at once; where that is refused too, as after any failure.
        boolean isAtOnce = (isAboutToken || isReplaced) && refusedTokens == 0;
        refusedTokens += isAboutToken || isReplaced ? 1 : 0;
        double wait = isAtOnce ? 0 : backoff.next(failure.retryAfter());
        notBefore = gate.clock.nanos() + (long) (failure.retryAfter() * 1e9);
        hear.trouble(failure, wait);
        tryIn((long) (wait * 1e9));
    }

    private void finish(PushgateException failure) {
        if (state == State.CLOSED) {
            return;
        }
        cut(NORMAL);
        state = State.CLOSED;
        gate.remove(this);
        hear.ended(failure);
    }

    /** Ends what is under way, with a close code or, where it is 0, without a word. */
    private void cut(int code) {
        attempt += 1;
        live = null;
        identity = null;
        if (timer != null) {
            timer.cancel(false);
        }
        if (connecting != null) {
            connecting.end(code);
            connecting = null;
        }
    }
}
