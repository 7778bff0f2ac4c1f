package dev.pushgate;

/** Who a login made this client, and the token that proves it. */
final class Identity {
    /** The part of its life after which a token is renewed. */
    private static final double RENEWAL = 0.8;

    /** What no token lives longer than, so that nanoseconds hold it. */
    private static final double LONGEST = 400.0 * 24 * 3600;

    final String clientId;
    final String token;
    private final long bornAt;
    private final long life;

    private Identity(String clientId, String token, long bornAt, long life) {
        this.clientId = clientId;
        this.token = token;
        this.bornAt = bornAt;
        this.life = life;
    }

    /** What a login answered at {@code now}; null where it is no answer to one. */
    static Identity of(Json answer, long now) {
        String clientId = answer == null ? null : answer.string("client_id");
        String token = answer == null ? null : answer.string("token");
        if (clientId == null || token == null || !isHeader(token)) {
            return null;
        }
        double seconds = answer.number("expires_in");
        // A gateway that does not say: it will tell when the token has ended.
        double life = seconds > 0 ? Math.min(LONGEST, seconds) : LONGEST;
        return new Identity(clientId, token, now, (long) (life * 1e9));
    }

    /** Nanoseconds until it is to be renewed. */
    long untilOld(long now) {
        return bornAt + (long) (life * RENEWAL) - now;
    }

    /** Whether the token has ended. */
    boolean hasEnded(long now) {
        return now - bornAt >= life;
    }

    /** A token is a word of ASCII; anything else must not come into a head. */
    private static boolean isHeader(String token) {
        return token.matches("[!-~]+");
    }
}
