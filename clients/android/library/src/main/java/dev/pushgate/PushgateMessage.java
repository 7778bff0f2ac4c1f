package dev.pushgate;

/** A message of a channel, as it came. */
public final class PushgateMessage {
    private final String id;
    private final String clientId;
    private final String json;

    PushgateMessage(String id, String clientId, String json) {
        this.id = id;
        this.clientId = clientId;
        this.json = json;
    }

    /**
     * The place of the message in the order of its channel.
     *
     * @return an id; null for a direct message, which has none
     */
    public String id() {
        return id;
    }

    /**
     * Who sent it.
     *
     * @return a client id; null where the gateway does not say
     */
    public String clientId() {
        return clientId;
    }

    /**
     * What was sent: of a chat room {@code {"message":"hello","client_id":…,"datetime":…,"id":…}}, of the root
     * channel {@code {"message":{"value":…,…}}}, of a camera {@code {"x":…,"y":…,"z":…}}.
     *
     * @return JSON, for a reader such as Android's {@code org.json.JSONObject}
     */
    public String json() {
        return json;
    }

    @Override
    public String toString() {
        return json;
    }
}
