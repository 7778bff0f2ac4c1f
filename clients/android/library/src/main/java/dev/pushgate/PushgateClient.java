package dev.pushgate;

import android.content.Context;
import android.os.SystemClock;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;

/**
 * A client of a gateway: who one is, and the channels that one is on. Every method from any thread.
 *
 * <p>It logs in when a channel is opened, renews its token before it ends, and logs in anew where the gateway knows it
 * no more. One of these is enough for an application, or for an activity: {@link #resume} when it is started,
 * {@link #pause} when it is stopped, {@link #close} when it is destroyed.
 */
public final class PushgateClient {
    /** Seconds for a connection, and for a login as a whole. */
    private static final int CONNECT_WITHIN = 10;

    private static final int ANSWER_WITHIN = 20;

    private final Gate gate;
    private final NetworkWatch networks;
    private final Runnable release;

    private PushgateClient(Builder builder) {
        Loop loop = new Loop();
        Executor executor = builder.executor == null ? new MainThread() : builder.executor;
        OkHttpClient given = builder.http;
        OkHttpClient http = given == null ? new OkHttpClient() : given;
        OkHttpClient ours =
                http.newBuilder()
                        .connectTimeout(CONNECT_WITHIN, TimeUnit.SECONDS)
                        .callTimeout(ANSWER_WITHIN, TimeUnit.SECONDS)
                        .build();
        Turns turns = new Turns(executor);
        Clock clock = builder.clock == null ? SystemClock::elapsedRealtimeNanos : builder.clock;
        gate = new Gate(builder.url, ours, loop, clock, builder.random, turns, builder.lateBy);
        gate.loop.run(() -> gate.setName(builder.name));
        networks = builder.context == null ? null : new NetworkWatch(builder.context, gate);
        // The threads of a client that was given are not ours to end.
        release = given == null ? () -> http.dispatcher().executorService().shutdown() : () -> {};
        watchNetworks();
    }

    /**
     * Begins a client whose callbacks come on the main thread.
     *
     * @param context of the application or an activity, of which only the application's is kept; it is asked for
     *     networks that come and go. Null: nothing is asked, and networks are known by heartbeats alone
     * @param url where the gateway is, such as {@code https://push.example.org}
     * @return what builds it
     * @throws IllegalArgumentException where the URL is none of http or https
     */
    public static Builder builder(Context context, String url) {
        return new Builder(context, HttpUrl.get(url));
    }

    /**
     * Logs in as somebody else: from now on this client is another one, on the same channels, and the one before is
     * gone. Without it a client logs in by itself, under the name it was built with.
     *
     * @param name that others see, 1 to 64 characters; null for none
     */
    public void login(String name) {
        gate.loop.run(() -> gate.login(name));
    }

    /**
     * Closes all channels, and ends presence and tokens at the gateway. A channel that is opened later logs in again,
     * as another client.
     */
    public void logout() {
        gate.loop.run(gate::logout);
    }

    /**
     * Who this client is.
     *
     * @return its id; null as long as it has not logged in
     */
    public String clientId() {
        return gate.clientId();
    }

    /**
     * A scene of cameras, not joined yet: {@link PushgateCamera#open}.
     *
     * @param channel such as {@code camera}, or {@code camera/} and the name of a scene
     * @param listener hears the others
     * @return the scene
     * @throws IllegalArgumentException where no channel has this name
     */
    public PushgateCamera camera(String channel, CameraListener listener) {
        return new PushgateCamera(gate, channel, listener);
    }

    /**
     * Any channel, not subscribed to yet: {@link PushgateChannel#open}.
     *
     * @param channel such as {@code chat/lobby}; the root channel has the empty name
     * @param history how many messages that were said before it begins with: 0 to 1000
     * @param listener hears the messages
     * @return the channel
     * @throws IllegalArgumentException where no channel has this name, or the history is of another length
     */
    public PushgateChannel channel(String channel, int history, ChannelListener listener) {
        if (history < 0 || history > 1000) {
            throw new IllegalArgumentException("a history has 0 to 1000 messages");
        }
        return new PushgateChannel(gate, channel, history, listener);
    }

    /**
     * Rests, as for an application that nobody looks at: no connection, no timer, nothing heard of networks. The
     * gateway takes it for gone after a few seconds ({@code presence.linger}).
     */
    public void pause() {
        if (networks != null) {
            networks.stop();
        }
        gate.loop.run(gate::pause);
    }

    /** Goes on where it was, with what was missed meanwhile. A client that was just built need not be told. */
    public void resume() {
        gate.loop.run(gate::resume);
        watchNetworks();
    }

    /** Logs out, for good: nothing can be opened any more, and the threads end. */
    public void close() {
        if (networks != null) {
            networks.stop();
        }
        gate.loop.run(
                () ->
                        gate.close(
                                () -> {
                                    gate.loop.end();
                                    release.run();
                                }));
    }

    private void watchNetworks() {
        if (networks != null) {
            networks.start();
        }
    }

    /** Builds a client. */
    public static final class Builder {
        private final Context context;
        private final HttpUrl url;
        private String name;
        private Executor executor;
        private OkHttpClient http;
        private double lateBy = 10;
        private Random random = new Random();
        private Clock clock;

        private Builder(Context context, HttpUrl url) {
            this.context = context;
            this.url = url;
        }

        /**
         * The name that others see.
         *
         * @param name 1 to 64 characters; null for none
         * @return this
         */
        public Builder name(String name) {
            this.name = name;
            return this;
        }

        /**
         * Where callbacks are called, in the place of the main thread: one after the other, also where it has
         * several threads.
         *
         * @param executor the application's own; it should not wait for what it is given
         * @return this
         */
        public Builder executor(Executor executor) {
            this.executor = executor;
            return this;
        }

        /**
         * An OkHttp client whose connections, threads, proxy and certificates are to be used. Its own interval of
         * pings is kept as well; there is no need of one, since the gateway sends heartbeats.
         *
         * @param http the application's own
         * @return this
         */
        public Builder http(OkHttpClient http) {
            this.http = http;
            return this;
        }

        /**
         * How late a heartbeat of the gateway may be before its connection is taken for lost; 10 unless it is said.
         * The gateway sends one every 25 seconds as shipped.
         *
         * @param seconds more than 0
         * @return this
         */
        public Builder lateBy(double seconds) {
            if (!(seconds > 0)) {
                throw new IllegalArgumentException("more than 0 seconds");
            }
            lateBy = seconds;
            return this;
        }

        /** For tests: where chance comes from. */
        Builder random(Random random) {
            this.random = random;
            return this;
        }

        /** For tests: what time it is. */
        Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /**
         * The client; it connects once a channel is opened.
         *
         * @return a client
         */
        public PushgateClient build() {
            return new PushgateClient(this);
        }
    }
}
