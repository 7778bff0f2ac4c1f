package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.IOException;

final class ChannelCheck {
    private ChannelCheck() {}

    public static void aRoomIsReadAndSpokenIn() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            PushgateChannel room = scene.client.channel("chat/로비", 5, scene.recorder);
            check(!room.say("too early"), "there is no connection");
            room.open();
            Peer peer = scene.gateway.peer().starts("e-0");
            scene.recorder.hears("open c1");
            check(peer.request.line.startsWith("GET /ws/chat/%EB%A1%9C%EB%B9%84?"), peer.request.line);
            check(peer.request.line.contains("&history=5 "), peer.request.line);
            String said = "{\"message\":\"hi \\\"you\\\"\",\"client_id\":\"o\",\"id\":\"e-1\"}";
            peer.say(said);
            scene.recorder.hears("message e-1 o " + said);
            check(room.say("a \"b\"\n"), "it is sent");
            same(peer.text(), "{\"message\":\"a \\\"b\\\"\\u000a\"}");
            check(room.send("{\"message\":\"raw\"}"), "it is sent");
            same(peer.text(), "{\"message\":\"raw\"}");
            peer.drop();
            check(scene.recorder.next().startsWith("trouble unreachable"), "it broke");
            peer = scene.gateway.peer().starts("e-1");
            check(peer.request.line.endsWith("&beat=1&since=e-1 HTTP/1.1"), peer.request.line);
            peer.say(said);
            String root = "{\"message\":{\"value\":\"v\",\"client_id\":\"o\",\"id\":\"e-2\"}}";
            peer.say(root);
            String direct = "{\"client_id\":\"o\",\"data\":[1, 2]}";
            peer.say(direct);
            scene.recorder.hears("open c1");
            scene.recorder.hears("message e-2 o " + root);
            scene.recorder.hears("message null o [1, 2]");
        }
    }

    public static void moreThanWaitsIsRefusedNotDropped() throws IOException, InterruptedException {
        try (Scene scene = new Scene()) {
            PushgateChannel room = scene.client.channel("chat", 0, scene.recorder);
            room.open();
            scene.gateway.peer().starts("e-0");
            scene.recorder.hears("open c1");
            StringBuilder text = new StringBuilder();
            for (int at = 0; at < 1024 * 1024; at += 1) {
                text.append('x');
            }
            check(!room.say(text.toString()), "more than waits");
            check(room.say("less"), "the connection goes on");
        }
    }
}
