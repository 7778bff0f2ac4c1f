package dev.pushgate;

/**
 * How far a stream has come: what to resume from, and what was delivered already.
 *
 * <p>An id is {@code <epoch>-<offset>}; the offset rises by one within an epoch.
 */
final class Since {
    private String id;
    private String epoch;
    private long offset;

    /** What to ask for what comes after; null at the very beginning. */
    String id() {
        return id;
    }

    /** The gateway says where the stream is; never a step back within an epoch. */
    void startAt(String start) {
        long next = offsetOf(start);
        if (next >= 0 && isOfEpoch(start) && next < offset) {
            return;
        }
        move(start, next);
    }

    /** Whether the message with this id was not delivered yet; from now on it was. */
    boolean advance(String next) {
        long reached = offsetOf(next);
        if (reached < 0) {
            return true;
        }
        if (isOfEpoch(next) && reached <= offset) {
            return false;
        }
        move(next, reached);
        return true;
    }

    /** What was missed is lost, and the stream goes on with the message {@code next}. */
    void skipTo(String next) {
        long first = offsetOf(next);
        if (first >= 1) {
            String before = epochOf(next) + "-" + (first - 1);
            move(before, first - 1);
        }
    }

    private void move(String to, long reached) {
        id = to;
        epoch = reached < 0 ? null : epochOf(to);
        offset = Math.max(0, reached);
    }

    private boolean isOfEpoch(String other) {
        return epoch != null && epoch.equals(epochOf(other));
    }

    private static String epochOf(String id) {
        return id.substring(0, Math.max(0, id.lastIndexOf('-')));
    }

    /** The offset of an id, -1 where it is none of this form. */
    private static long offsetOf(String id) {
        int dash = id.lastIndexOf('-');
        if (dash <= 0) {
            return -1;
        }
        for (int at = dash + 1; at < id.length(); at += 1) {
            if (id.charAt(at) < '0' || id.charAt(at) > '9') {
                return -1;
            }
        }
        try {
            return Long.parseLong(id.substring(dash + 1));
        } catch (NumberFormatException tooLong) {
            return -1;
        }
    }
}
