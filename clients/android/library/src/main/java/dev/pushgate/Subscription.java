package dev.pushgate;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the public faces of a stream share: calls go to the loop, callbacks to the application's executor. */
final class Subscription implements Stream.Hear {
    private final Gate gate;
    private final Face face;
    private final Stream stream;
    private volatile boolean isClosed = true;

    Subscription(Gate gate, String channel, Map<String, String> query, Face face) {
        this.gate = gate;
        this.face = face;
        stream = new Stream(gate, segmentsOf(channel), query, this);
    }

    /** What differs from face to face; all but {@link #listener()} is called on the loop. */
    interface Face {
        StreamListener listener();

        void opened(String clientId);

        void message(PushgateMessage message, Json data);
    }

    /** The stream; to be asked on the loop, but for {@link Stream#send}. */
    Stream stream() {
        return stream;
    }

    void open() {
        isClosed = false;
        gate.loop.run(stream::open);
    }

    void close() {
        isClosed = true;
        gate.loop.run(stream::close);
    }

    /** Calls the application, unless it has closed the channel meanwhile. */
    void tell(Runnable callback) {
        gate.turns.add(
                () -> {
                    if (!isClosed) {
                        callback.run();
                    }
                });
    }

    @Override
    public void opened(String clientId) {
        tell(() -> face.listener().onOpen(clientId));
        face.opened(clientId);
    }

    @Override
    public void message(PushgateMessage message, Json data) {
        face.message(message, data);
    }

    @Override
    public void gap(String gap) {
        tell(() -> face.listener().onGap(gap));
    }

    @Override
    public void refused(PushgateException failure) {
        tell(() -> face.listener().onRefused(failure));
    }

    @Override
    public void trouble(PushgateException failure, double retryIn) {
        tell(() -> face.listener().onTrouble(failure, retryIn));
    }

    @Override
    public void ended(PushgateException failure) {
        gate.turns.add(() -> face.listener().onClose(failure));
    }

    /** The segments of a channel's name; none of them for the root channel. */
    private static List<String> segmentsOf(String channel) {
        List<String> segments = new ArrayList<>();
        for (String segment : channel.split("/")) {
            // An address would take these for a way up.
            if (segment.equals(".") || segment.equals("..")) {
                throw new IllegalArgumentException("no channel has the name " + channel);
            }
            if (!segment.isEmpty()) {
                segments.add(segment);
            }
        }
        return segments;
    }
}
