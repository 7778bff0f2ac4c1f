package dev.pushgate;

import android.os.Handler;
import android.os.Looper;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** The main thread of the application, as an executor. */
final class MainThread implements Executor {
    private final Handler handler = new Handler(Looper.getMainLooper());

    @Override
    public void execute(Runnable work) {
        if (!handler.post(work)) {
            throw new RejectedExecutionException("the main thread has ended");
        }
    }
}
