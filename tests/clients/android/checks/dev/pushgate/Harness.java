package dev.pushgate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/**
 * The client as a program that other programs drive: {@code URL CHANNEL send COUNT}, {@code URL CHANNEL receive COUNT},
 * or {@code URL CHANNEL watch} and {@code URL CHANNEL chat}, which print all they hear and do what they read.
 */
public final class Harness implements CameraListener, ChannelListener {
    /** Places a second that {@code send} sends. */
    private static final double RATE = 20;

    private final String mode;
    private final int count;
    private final CountDownLatch isDone = new CountDownLatch(1);
    private final PushgateClient client;
    private final PushgateCamera camera;
    private final PushgateChannel room;
    private int told;

    private Harness(String url, String channel, String mode, int count) {
        this.mode = mode;
        this.count = count;
        client = PushgateClient.builder(null, url).name("harness").lateBy(3).build();
        camera = client.camera(channel, this);
        camera.setRate(RATE);
        room = client.channel(channel, 0, this);
    }

    /** Runs until it is done, or its commands are. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        // Where the comma stands for the point, and nobody must see it.
        Locale.setDefault(Locale.GERMANY);
        int count = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 0;
        Harness harness = new Harness(arguments[0], arguments[1], arguments[2], count);
        harness.open();
        if (harness.isObedient()) {
            harness.obeys();
            harness.client.close();
        } else {
            harness.isDone.await();
        }
    }

    private boolean isObedient() {
        return mode.equals("watch") || mode.equals("chat");
    }

    private void open() {
        if (mode.equals("chat")) {
            room.open();
        } else {
            camera.open();
        }
    }

    private void obeys() throws IOException {
        BufferedReader commands =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String command = commands.readLine();
        while (command != null) {
            does(command.split(" "));
            command = commands.readLine();
        }
    }

    @Override
    public void onOpen(String clientId) {
        switch (mode) {
            case "send":
                move(told + 1);
                break;
            case "receive":
                say("ready");
                break;
            default:
                say("open " + clientId);
        }
    }

    @Override
    public void onPlace(String clientId, double x, double y, double z) {
        if (mode.equals("send")) {
            return;
        }
        say("got " + clientId + " " + text(x, y, z));
        told += 1;
        if (mode.equals("receive") && told == count) {
            done();
        }
    }

    @Override
    public void onEcho(double x, double y, double z) {
        switch (mode) {
            case "send":
                // What a connection before sent may come once more.
                if (x == told + 1) {
                    told += 1;
                    say("sent " + text(x, y, z));
                    move(told + 1);
                }
                break;
            case "watch":
                say("echo " + text(x, y, z));
                break;
            default:
        }
    }

    @Override
    public void onMessage(PushgateMessage message) {
        say("message " + message.id() + " " + message.clientId() + " " + message.json());
    }

    @Override
    public void onGap(String gap) {
        if (isObedient()) {
            say("gap " + gap);
        }
    }

    @Override
    public void onRefused(PushgateException error) {
        System.err.println("refused " + error);
    }

    @Override
    public void onTrouble(PushgateException error, double retryIn) {
        System.err.println("again in " + retryIn + " s: " + error);
        if (isObedient()) {
            say("trouble " + error.code() + " " + error.status() + " " + error.closeCode());
        }
    }

    @Override
    public void onClose(PushgateException error) {
        if (isObedient()) {
            say("closed " + (error == null ? 0 : error.closeCode()));
        } else if (error != null) {
            System.err.println(error);
            System.exit(1);
        }
    }

    private void move(int number) {
        if (number > count) {
            done();
        } else {
            camera.move(number, number / 8.0, -number / 4.0);
        }
    }

    private void does(String[] command) {
        switch (command[0]) {
            case "move":
                double x = Double.parseDouble(command[1]);
                double y = Double.parseDouble(command[2]);
                camera.move(x, y, Double.parseDouble(command[3]));
                break;
            case "open":
                open();
                break;
            case "say":
                room.say(command[1]);
                break;
            case "pause":
                client.pause();
                break;
            case "resume":
                client.resume();
                break;
            default:
                throw new IllegalArgumentException(command[0]);
        }
    }

    private void done() {
        say("done");
        client.close();
        isDone.countDown();
    }

    private void say(String line) {
        // println() would have it with the line ends of the platform.
        System.out.print(line + "\n");
        System.out.flush();
    }

    private static String text(double x, double y, double z) {
        return Digits.of(x) + " " + Digits.of(y) + " " + Digits.of(z);
    }
}
