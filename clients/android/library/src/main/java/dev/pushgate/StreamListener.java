package dev.pushgate;

/**
 * Hears what becomes of a subscription. Called on the main thread, or on the executor that the client was given, one
 * call after the other; what a call throws is logged, and the next ones come all the same.
 */
public interface StreamListener {
    /**
     * A connection is open: at first, and after each interruption.
     *
     * @param clientId who this client is; another one than before if it had to log in anew
     */
    default void onOpen(String clientId) {}

    /**
     * Messages are lost for good: one was away for longer than the gateway keeps them, or it was started anew.
     *
     * @param gap what the gateway says of it, as JSON: {@code {"channel":…,"since":…,"next":…}}
     */
    default void onGap(String gap) {}

    /**
     * Something that was sent is refused, as {@code rate-limited}; the connection goes on.
     *
     * @param error what the gateway says of it
     */
    default void onRefused(PushgateException error) {}

    /**
     * The connection failed, or could not be made, and is tried again by itself; sooner where a network comes.
     *
     * @param error why
     * @param retryIn seconds
     */
    default void onTrouble(PushgateException error, double retryIn) {}

    /**
     * It is over, until {@code open()} is called again.
     *
     * @param error why, such as {@link PushgateException#closeCode()} 4003 where a backend ended this client; null
     *     where the application closed it
     */
    default void onClose(PushgateException error) {}
}
