package dev.pushgate;

import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/** Any channel, such as a chat room: its messages as JSON, and a way to send some. Every method from any thread. */
public final class PushgateChannel {
    private final Subscription subscription;
    private final ChannelListener listener;

    PushgateChannel(Gate gate, String channel, int history, ChannelListener listener) {
        this.listener = listener;
        Map<String, String> query = new HashMap<>();
        if (history > 0) {
            query.put(Stream.HISTORY, Integer.toString(history));
        }
        subscription = new Subscription(gate, channel, Collections.unmodifiableMap(query), new Face());
    }

    /** Subscribes, or does so again after {@link ChannelListener#onClose}. It stays subscribed until that. */
    public void open() {
        subscription.open();
    }

    /**
     * Sends JSON that the channel's kind accepts.
     *
     * @param json as {@code {"message":"hello"}} for a chat room
     * @return false where it is not sent: there is no connection just now, or more than 1 MiB waits for it already
     */
    public boolean send(String json) {
        return subscription.stream().send(json);
    }

    /**
     * Says something in a chat room.
     *
     * @param text at most what the gateway takes, 32 KiB as shipped
     * @return as {@link #send}
     */
    public boolean say(String text) {
        return send("{\"message\":" + Json.quote(text) + "}");
    }

    /** Unsubscribes; behind this call nothing but {@link ChannelListener#onClose} is called. */
    public void close() {
        subscription.close();
    }

    private final class Face implements Subscription.Face {
        @Override
        public StreamListener listener() {
            return listener;
        }

        @Override
        public void opened(String clientId) {}

        @Override
        public void message(PushgateMessage message, Json data) {
            subscription.tell(() -> listener.onMessage(message));
        }
    }
}
