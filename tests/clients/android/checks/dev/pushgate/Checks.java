package dev.pushgate;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Runs every public static method without parameters of the classes of checks, and says which failed. */
public final class Checks {
    /** Those that may run beside each other. */
    private static final Class<?>[] TOGETHER = {
        ApiCheck.class,
        DigitsCheck.class,
        JsonCheck.class,
        SinceCheck.class,
        BackoffCheck.class,
        PaceCheck.class,
        TurnsCheck.class,
        LoginCheck.class,
        StreamCheck.class,
        EndingCheck.class,
        SilenceCheck.class,
        CameraCheck.class,
        ChannelCheck.class,
    };

    private static final Class<?>[] ALONE = {AloneCheck.class, ViewCheck.class};

    /** Most of a check is waiting. */
    private static final int THREADS = 6;

    private static final AtomicInteger PASSED = new AtomicInteger();
    private static final AtomicInteger FAILED = new AtomicInteger();

    /** What callbacks throw on purpose would be logged with its trace; a logger that nobody holds forgets its level. */
    private static final Logger LOG = Logger.getLogger("dev.pushgate");

    private Checks() {}

    /** Runs those whose name has the first argument in it, or all. */
    public static void main(String[] arguments) throws InterruptedException {
        Locale.setDefault(Locale.GERMANY);
        LOG.setLevel(Level.OFF);
        String wanted = arguments.length > 0 ? arguments[0] : "";
        run(TOGETHER, THREADS, wanted);
        run(ALONE, 1, wanted);
        System.out.println(PASSED + " passed, " + FAILED + " failed");
        System.exit(FAILED.get() == 0 && PASSED.get() > 0 ? 0 : 1);
    }

    private static void run(Class<?>[] nouns, int threads, String wanted) throws InterruptedException {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        for (Class<?> noun : nouns) {
            for (Method check : noun.getDeclaredMethods()) {
                String name = noun.getSimpleName() + "." + check.getName();
                int modifiers = check.getModifiers();
                boolean isCheck = Modifier.isStatic(modifiers) && Modifier.isPublic(modifiers);
                if (isCheck && name.contains(wanted)) {
                    pool.execute(() -> run(name, check));
                }
            }
        }
        pool.shutdown();
        check(pool.awaitTermination(2, TimeUnit.MINUTES), "the checks do not end");
    }

    private static void run(String name, Method check) {
        long start = System.nanoTime();
        boolean isGood = passes(check);
        long millis = (System.nanoTime() - start) / 1_000_000;
        System.out.println((isGood ? "ok " : "FAILED ") + name + " " + millis + " ms");
        (isGood ? PASSED : FAILED).incrementAndGet();
    }

    /** Fails unless this holds. */
    static void check(boolean isGood, String what) {
        if (!isGood) {
            throw new AssertionError(what);
        }
    }

    /** Fails unless both are the same. */
    static void same(Object found, Object expected) {
        check(expected.equals(found), "found " + found + ", not " + expected);
    }

    private static boolean passes(Method check) {
        try {
            check.invoke(null);
            return true;
        } catch (InvocationTargetException failed) {
            failed.getCause().printStackTrace(System.out);
        } catch (IllegalAccessException impossible) {
            impossible.printStackTrace(System.out);
        }
        return false;
    }
}
