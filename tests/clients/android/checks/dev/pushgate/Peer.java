package dev.pushgate;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The gateway's end of one WebSocket (RFC 6455). */
final class Peer {
    private static final int TEXT = 1;
    private static final int BINARY = 2;
    private static final int CLOSE = 8;

    /** What asked for it. */
    final FakeGateway.Request request;

    private final Socket socket;
    private final OutputStream out;
    private final BlockingQueue<String> texts = new LinkedBlockingQueue<>();
    private final BlockingQueue<Integer> closes = new LinkedBlockingQueue<>();

    Peer(FakeGateway.Request request, Socket socket, DataInputStream in, OutputStream out) {
        this.request = request;
        this.socket = socket;
        this.out = out;
        Thread reader = new Thread(() -> read(in), "peer");
        reader.setDaemon(true);
        reader.start();
    }

    /** Says where it starts, which opens it. */
    Peer starts(String since) throws IOException {
        say("{\"since\":\"" + since + "\"}");
        return this;
    }

    /** Sends a text. */
    void say(String text) throws IOException {
        frame(TEXT, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Sends where a camera is. */
    void place(String id, String clientId, double x) throws IOException {
        say("{\"id\":\"" + id + "\",\"client_id\":\"" + clientId + "\",\"data\":{\"x\":" + x + ",\"y\":0,\"z\":0}}");
    }

    /** Sends bytes. */
    void binary(byte[] bytes) throws IOException {
        frame(BINARY, bytes);
    }

    /** Ends it with a code. */
    void close(int code) throws IOException {
        frame(CLOSE, new byte[] {(byte) (code >> 8), (byte) code});
    }

    /** Ends it without a word. */
    void drop() throws IOException {
        socket.close();
    }

    /** The next text of the client. */
    String text() throws InterruptedException {
        String text = texts.poll(10, TimeUnit.SECONDS);
        Checks.check(text != null, "the client said nothing");
        return text;
    }

    /** The next text of the client; null if none comes for so many milliseconds. */
    String textWithin(long millis) throws InterruptedException {
        return texts.poll(millis, TimeUnit.MILLISECONDS);
    }

    /** The code that the client ended it with; 0 where it did so without a word. */
    int closed() throws InterruptedException {
        Integer code = closes.poll(10, TimeUnit.SECONDS);
        Checks.check(code != null, "the client did not end it");
        return code;
    }

    private synchronized void frame(int opcode, byte[] payload) throws IOException {
        byte[] frame = new byte[4 + payload.length];
        frame[0] = (byte) (0x80 | opcode);
        // The longer form is needed from 126 bytes on; two buffers are no trouble.
        if (payload.length < 126) {
            frame[1] = (byte) payload.length;
            System.arraycopy(payload, 0, frame, 2, payload.length);
            out.write(frame, 0, 2 + payload.length);
        } else {
            frame[1] = 126;
            frame[2] = (byte) (payload.length >> 8);
            frame[3] = (byte) payload.length;
            System.arraycopy(payload, 0, frame, 4, payload.length);
            out.write(frame);
        }
    }

    private void read(DataInputStream in) {
        try {
            for (;;) {
                int opcode = in.readUnsignedByte() & 0x0F;
                int length = in.readUnsignedByte() & 0x7F;
                if (length == 126) {
                    length = in.readUnsignedShort();
                }
                byte[] mask = new byte[4];
                in.readFully(mask);
                byte[] payload = new byte[length];
                in.readFully(payload);
                for (int at = 0; at < length; at += 1) {
                    payload[at] ^= mask[at % 4];
                }
                if (opcode == TEXT) {
                    texts.add(new String(payload, StandardCharsets.UTF_8));
                } else if (opcode == CLOSE) {
                    closes.add((payload[0] & 0xFF) << 8 | payload[1] & 0xFF);
                }
            }
        } catch (IOException ended) {
            closes.add(0);
        }
    }
}
