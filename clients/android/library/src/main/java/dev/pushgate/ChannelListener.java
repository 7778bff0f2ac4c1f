package dev.pushgate;

/** Hears the messages of a channel, and what becomes of the subscription. */
public interface ChannelListener extends StreamListener {
    /**
     * Somebody posted, this client included: each message once, in the order of the channel.
     *
     * @param message what, and by whom
     */
    void onMessage(PushgateMessage message);
}
