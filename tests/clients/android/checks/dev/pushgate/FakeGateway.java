package dev.pushgate;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A gateway that does what a check wants: it makes a client of whoever logs in, hands each WebSocket to the check, and
 * refuses what it is told to refuse.
 */
final class FakeGateway implements AutoCloseable {
    /** Requests as they come: method, path, and the token they have. */
    final BlockingQueue<Request> requests = new LinkedBlockingQueue<>();

    private final BlockingQueue<Peer> peers = new LinkedBlockingQueue<>();
    private final Map<String, Queue<String>> refusals = new HashMap<>();
    private final Map<String, CountDownLatch> held = new ConcurrentHashMap<>();
    private final List<Socket> sockets = new ArrayList<>();
    private final ServerSocket listener;
    private volatile int life = 7200;
    private int logins;

    FakeGateway() throws IOException {
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        begin(this::accept);
    }

    /** A request, without its body. */
    static final class Request {
        final long at = System.nanoTime();
        final String line;
        final String head;

        Request(String line, String head) {
            this.line = line;
            this.head = head;
        }

        /** The path, without the query. */
        String path() {
            return line.split(" ")[1].split("\\?")[0];
        }

        /** The token; the empty text where there is none. */
        String token() {
            for (String field : head.split("\r\n")) {
                if (field.toLowerCase(java.util.Locale.ROOT).startsWith("authorization: bearer ")) {
                    return field.substring("authorization: bearer ".length());
                }
            }
            return "";
        }
    }

    String url() {
        return "http://127.0.0.1:" + listener.getLocalPort();
    }

    /** How long tokens live that are made from now on, in seconds. */
    void setLife(int seconds) {
        life = seconds;
    }

    /** Answers the next request to this path with something else, or the one behind those that have such an answer. */
    synchronized void refuse(String path, String status, String headers, String body) {
        int length = body.getBytes(StandardCharsets.UTF_8).length;
        String answer = status + "\r\n" + headers + "Content-Length: " + length + "\r\n\r\n" + body;
        refusals.computeIfAbsent(path, unknown -> new ArrayDeque<>()).add(answer);
    }

    /** Answers requests to this path only when the latch that this answers is open. */
    CountDownLatch hold(String path) {
        return held.computeIfAbsent(path, unknown -> new CountDownLatch(1));
    }

    /** The next WebSocket, which was told where it starts. */
    Peer peer() throws InterruptedException, IOException {
        Peer peer = peers.poll(10, TimeUnit.SECONDS);
        Checks.check(peer != null, "nobody connected");
        return peer;
    }

    /** Whether nobody connects for so many milliseconds. */
    boolean isQuiet(long millis) throws InterruptedException {
        return peers.poll(millis, TimeUnit.MILLISECONDS) == null;
    }

    /** The next request to this path; those before it are passed over. */
    Request request(String path) throws InterruptedException {
        for (;;) {
            Request request = requests.poll(10, TimeUnit.SECONDS);
            Checks.check(request != null, "no request to " + path);
            if (request.path().equals(path)) {
                return request;
            }
        }
    }

    @Override
    public synchronized void close() throws IOException {
        listener.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    private static void begin(Runnable work) {
        Thread thread = new Thread(work, "fake-gateway");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            for (;;) {
                Socket socket = listener.accept();
                socket.setTcpNoDelay(true);
                synchronized (this) {
                    sockets.add(socket);
                }
                begin(() -> serve(socket));
            }
        } catch (IOException closed) {
            // The check is over.
        }
    }

    private void serve(Socket socket) {
        try {
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            OutputStream out = socket.getOutputStream();
            for (;;) {
                String head = head(in);
                String line = head.substring(0, head.indexOf("\r\n"));
                in.readFully(new byte[Integer.parseInt(field(head, "content-length", "0"))]);
                Request request = new Request(line, head);
                requests.add(request);
                waitFor(held.get(request.path()));
                if (answer(request, socket, in, out)) {
                    return;
                }
            }
        } catch (IOException gone) {
            // So is its client.
        }
    }

    private static void waitFor(CountDownLatch latch) {
        try {
            if (latch != null) {
                latch.await();
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether the connection is a WebSocket now. */
    private boolean answer(Request request, Socket socket, DataInputStream in, OutputStream out)
            throws IOException {
        String refusal;
        synchronized (this) {
            Queue<String> refused = refusals.get(request.path());
            refusal = refused == null ? null : refused.poll();
        }
        if (refusal != null) {
            write(out, "HTTP/1.1 " + refusal);
        } else if (request.path().endsWith("/login")) {
            write(out, "HTTP/1.1 200 OK\r\n" + body(login(request.token())));
        } else if (request.path().endsWith("/logout")) {
            write(out, "HTTP/1.1 204 No Content\r\n\r\n");
        } else {
            String accept = accept(field(request.head, "sec-websocket-key", ""));
            write(
                    out,
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            + "Sec-WebSocket-Accept: "
                            + accept
                            + "\r\n\r\n");
            peers.add(new Peer(request, socket, in, out));
            return true;
        }
        return false;
    }

    /** A renewal is for the same client: its tokens are {@code 1.1}, {@code 1.2} and so on. */
    private synchronized String login(String token) {
        logins += 1;
        String client = token.isEmpty() ? Integer.toString(logins) : token.split("\\.")[0];
        return "{\"client_id\":\"c"
                + client
                + "\",\"token\":\""
                + client
                + "."
                + logins
                + "\",\"expires_in\":"
                + life
                + ",\"new\":[1]}";
    }

    private static String body(String json) {
        return "Content-Type: application/json\r\nContent-Length: " + json.length() + "\r\n\r\n" + json;
    }

    private static void write(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String head(DataInputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.length() < 4 || !head.substring(head.length() - 4).equals("\r\n\r\n")) {
            int read = in.read();
            if (read < 0) {
                throw new EOFException();
            }
            head.append((char) read);
        }
        return head.toString();
    }

    private static String field(String head, String name, String otherwise) {
        for (String field : head.split("\r\n")) {
            int colon = field.indexOf(':');
            if (colon > 0 && field.substring(0, colon).equalsIgnoreCase(name)) {
                return field.substring(colon + 1).trim();
            }
        }
        return otherwise;
    }

    private static String accept(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            String text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
            return Base64.getEncoder().encodeToString(sha1.digest(text.getBytes(StandardCharsets.US_ASCII)));
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }
}
