package dev.pushgate;

import java.io.IOException;
import java.util.Date;
import okhttp3.Response;

/** A failure that the gateway named, or that the way to it caused. */
public final class PushgateException extends Exception {
    private static final long serialVersionUID = 1;

    /** Seconds that a gateway, or what stands before it, can make us wait at most. */
    private static final double LONGEST_ASKED = 3600;

    /** Of a problem document that is read. */
    private static final long PROBLEM_BYTES = 64 * 1024;

    private final String code;
    private final int status;
    private final int closeCode;
    private final double retryAfter;
    private final boolean isAnswer;

    private PushgateException(
            String code, String detail, int status, int closeCode, double retryAfter, boolean isAnswer) {
        super(detail == null || detail.isEmpty() ? code : code + ": " + detail);
        this.code = code;
        this.status = status;
        this.closeCode = closeCode;
        this.retryAfter = retryAfter;
        this.isAnswer = isAnswer;
    }

    /**
     * What failed: the code of the gateway's problem ({@code token-expired}, {@code rate-limited}, …),
     * {@code unreachable} where no answer came, {@code closed} where the gateway ended a connection, or
     * {@code http-<status>} for the answer of something else on the way.
     *
     * @return a word for programs
     */
    public String code() {
        return code;
    }

    /**
     * The HTTP status.
     *
     * @return 0 where there was none
     */
    public int status() {
        return status;
    }

    /**
     * The close code of the WebSocket: 4002 where the token was replaced or logged out elsewhere, 4003 where a
     * backend ended the client, and so on.
     *
     * @return 0 where there was none
     */
    public int closeCode() {
        return closeCode;
    }

    /** Seconds that the gateway asks to be left alone; 0 where it does not. */
    double retryAfter() {
        return retryAfter;
    }

    /** Whether a new token may help. */
    boolean isAboutToken() {
        return status == 401 || closeCode == 4001;
    }

    /** Whether the same cannot succeed later. */
    boolean isFinal() {
        if (closeCode != 0) {
            return closeCode == 4002 || closeCode == 4003;
        }
        // What a proxy or the page of a hotel's network answers may be another answer in a minute.
        boolean isRefusal = status >= 400 && status < 500;
        return isAnswer && isRefusal && status != 401 && status != 408 && status != 429;
    }

    /** No answer, or none any more. */
    static PushgateException unreachable(String why, Throwable cause) {
        PushgateException failure = new PushgateException("unreachable", why, 0, 0, 0, false);
        failure.initCause(cause);
        return failure;
    }

    /** The gateway ended the connection. */
    static PushgateException closed(int closeCode) {
        // Too fast, twice: it is to be left alone for a while.
        double retryAfter = closeCode == 4009 ? 5 : 0;
        String detail = "the gateway ended the connection with " + closeCode;
        return new PushgateException("closed", detail, 0, closeCode, retryAfter, true);
    }

    /** A message that the gateway refused; {@code problem} is what it said of it. */
    static PushgateException refused(Json problem) {
        String code = problem.string("code");
        double status = problem.number("status");
        int known = status >= 100 && status < 600 ? (int) status : 0;
        String word = code == null ? "refused" : code;
        return new PushgateException(word, problem.string("detail"), known, 0, 0, true);
    }

    /** The failure in an answer that is none of success. */
    static PushgateException answered(Response response) {
        Json problem = null;
        try {
            problem = Json.parse(response.peekBody(PROBLEM_BYTES).string());
        } catch (IOException | RuntimeException cut) {
            // The status says enough.
        }
        String code = problem == null ? null : problem.string("code");
        boolean isAnswer = code != null;
        String word = isAnswer ? code : "http-" + response.code();
        String detail = isAnswer ? problem.string("detail") : response.message();
        double retryAfter = retryAfter(response);
        return new PushgateException(word, detail, response.code(), 0, retryAfter, isAnswer);
    }

    /** {@code Retry-After} in seconds; RFC 9110 section 10.2.3 allows a date, too. */
    private static double retryAfter(Response response) {
        String text = response.header("Retry-After");
        double seconds = 0;
        if (text != null && text.matches("[0-9]{1,9}")) {
            seconds = Integer.parseInt(text);
        } else if (text != null) {
            Date date = response.headers().getDate("Retry-After");
            seconds = date == null ? 0 : (date.getTime() - System.currentTimeMillis()) / 1000.0;
        }
        return Math.min(LONGEST_ASKED, Math.max(0, seconds));
    }
}
