package dev.pushgate;

import java.io.IOException;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.FormBody;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

/** The requests that make, renew and end an identity. */
final class Login {
    /** Of an answer that is read; one without a list of users is far shorter. */
    private static final long ANSWER_BYTES = 1024 * 1024;

    private final OkHttpClient http;
    private final HttpUrl base;
    private final Loop loop;
    private final Clock clock;

    Login(OkHttpClient http, HttpUrl base, Loop loop, Clock clock) {
        this.http = http;
        this.base = base;
        this.loop = loop;
        this.clock = clock;
    }

    /** Hears, on the loop and exactly once, what becomes of a login. */
    interface Answer {
        void entered(Identity identity);

        void failed(PushgateException failure);
    }

    /**
     * Logs in, or renews {@code token} where there is one: the client stays who it is.
     *
     * @param name the name that others see, or null
     */
    void enter(String name, String token, Answer answer) {
        FormBody.Builder fields = new FormBody.Builder();
        if (name != null && !name.isEmpty()) {
            fields.add("name", name);
        }
        HttpUrl url =
                base.newBuilder().addPathSegment("login").addQueryParameter("users", "none").build();
        Request.Builder request = new Request.Builder().url(url).post(fields.build());
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        http.newCall(request.build())
                .enqueue(
                        new Callback() {
                            @Override
                            public void onResponse(Call call, Response response) {
                                Identity identity;
                                PushgateException failure;
                                try (Response closing = response) {
                                    identity = read(closing);
                                    failure = identity == null ? failureOf(closing) : null;
                                } catch (IOException | RuntimeException cut) {
                                    identity = null;
                                    failure = PushgateException.unreachable(cut.getMessage(), cut);
                                }
                                tell(answer, identity, failure);
                            }

                            @Override
                            public void onFailure(Call call, IOException cause) {
                                String why = cause.getMessage();
                                tell(answer, null, PushgateException.unreachable(why, cause));
                            }
                        });
    }

    /** Ends the presence and every token of the client; {@code done} is called, on any thread, when that is over. */
    void leave(String token, Runnable done) {
        HttpUrl url = base.newBuilder().addPathSegment("logout").build();
        Request request =
                new Request.Builder()
                        .url(url)
                        .header("Authorization", "Bearer " + token)
                        .post(new FormBody.Builder().build())
                        .build();
        http.newCall(request)
                .enqueue(
                        new Callback() {
                            @Override
                            public void onResponse(Call call, Response response) {
                                response.close();
                                done.run();
                            }

                            @Override
                            public void onFailure(Call call, IOException cause) {
                                // The presence ends by itself, and the token in its time.
                                done.run();
                            }
                        });
    }

    private void tell(Answer answer, Identity identity, PushgateException failure) {
        loop.run(
                () -> {
                    if (identity != null) {
                        answer.entered(identity);
                    } else {
                        answer.failed(failure);
                    }
                });
    }

    private Identity read(Response response) throws IOException {
        if (!response.isSuccessful()) {
            return null;
        }
        return Identity.of(Json.parse(response.peekBody(ANSWER_BYTES).string()), clock.nanos());
    }

    private static PushgateException failureOf(Response response) {
        // As the page of a network that wants to be agreed with first.
        return response.isSuccessful()
                ? PushgateException.unreachable("what came is no answer to a login", null)
                : PushgateException.answered(response);
    }
}
