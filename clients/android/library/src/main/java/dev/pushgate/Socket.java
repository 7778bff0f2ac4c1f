package dev.pushgate;

import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;
import okio.ByteString;

/**
 * One WebSocket, until it ends.
 *
 * <p>A network that is gone does not say so. The gateway tells a heartbeat with each of its pings, and how far apart
 * these are; where one stays away the far end is gone. So there is one timer for it, and no ping of our own that would
 * wake the radio of a phone.
 */
final class Socket extends WebSocketListener {
    /** What may wait to be sent, in bytes. */
    private static final long UNSENT = 1024 * 1024;

    /** Seconds between two heartbeats that are believed. */
    private static final double LONGEST_BEAT = 24 * 3600;

    private final Gate gate;
    private final Hear hear;
    private WebSocket socket;
    private boolean isOpen;
    private Future<?> watch;
    /** Nanoseconds without a sign of life after which the far end is gone; 0 as long as none is promised. */
    private long longest;
    private volatile long heardAt;
    private volatile boolean isHeld;
    private volatile boolean isOver;

    private Socket(Gate gate, Hear hear) {
        this.gate = gate;
        this.hear = hear;
    }

    /** Hears, on the loop, what a socket brings, and once that it has ended, unless we ended it. */
    interface Hear {
        void message(Json message);

        void ended(PushgateException failure);
    }

    /** Opens a WebSocket. */
    static Socket open(Gate gate, Request request, Hear hear) {
        Socket opened = new Socket(gate, hear);
        opened.socket = gate.http.newWebSocket(request, opened);
        return opened;
    }

    /** Sends a text; false where that cannot be, or too much waits already. Any thread. */
    boolean send(String text) {
        return !isOver && socket.queueSize() + text.length() <= UNSENT && socket.send(text);
    }

    /** Ends it with a code, or without a word where it is 0. */
    void end(int code) {
        if (isOver) {
            return;
        }
        finish();
        // Before it is open there is nobody to say it to.
        if (code == 0 || !isOpen || !socket.close(code, null)) {
            socket.cancel();
        }
    }

    @Override
    public void onMessage(WebSocket from, String text) {
        heardAt = gate.clock.nanos();
        Json message = Json.parse(text);
        if (hold()) {
            gate.loop.run(
                    () -> {
                        heard(message);
                        gate.turns.came();
                    });
        }
    }

    @Override
    public void onMessage(WebSocket from, ByteString bytes) {
        heardAt = gate.clock.nanos();
    }

    @Override
    public void onClosing(WebSocket from, int code, String reason) {
        from.close(1000, null);
        gate.loop.run(() -> ended(PushgateException.closed(code)));
    }

    @Override
    public void onFailure(WebSocket from, Throwable cause, Response response) {
        boolean isRefused = response != null && response.code() != 101;
        PushgateException failure =
                isRefused
                        ? PushgateException.answered(response)
                        : PushgateException.unreachable(cause.getMessage(), cause);
        gate.loop.run(() -> ended(failure));
    }

    /** Leaves what comes next in the network as long as the application is behind; false where it is over. */
    private boolean hold() {
        isHeld = true;
        try {
            while (!isOver) {
                if (gate.turns.waitForRoom(1000)) {
                    heardAt = gate.clock.nanos();
                    return true;
                }
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        } finally {
            isHeld = false;
        }
        return false;
    }

    private void heard(Json message) {
        if (isOver) {
            return;
        }
        isOpen = true;
        if (message == null || !message.isObject()) {
            // Nothing of ours; a later version may have its reasons.
            return;
        }
        if (message.size() == 1 && message.get("heartbeat") != null) {
            expect(message.number("heartbeat"));
        } else {
            hear.message(message);
        }
    }

    private void expect(double seconds) {
        if (seconds > 0 && seconds <= LONGEST_BEAT) {
            longest = (long) ((seconds + gate.lateBy) * 1e9);
            if (watch == null) {
                watchFor(longest);
            }
        }
    }

    private void watchFor(long nanos) {
        watch = gate.loop.after(nanos, this::look);
    }

    private void look() {
        long silent = isHeld ? 0 : gate.clock.nanos() - heardAt;
        if (isOver) {
            return;
        }
        if (silent < longest) {
            watchFor(Math.max(longest - silent, TimeUnit.MILLISECONDS.toNanos(1)));
            return;
        }
        socket.cancel();
        ended(PushgateException.unreachable("the connection fell silent", null));
    }

    private void ended(PushgateException failure) {
        if (!isOver) {
            finish();
            hear.ended(failure);
        }
    }

    private void finish() {
        isOver = true;
        if (watch != null) {
            watch.cancel(false);
        }
    }
}
