package dev.pushgate;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Locale;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Runs every public static method without parameters of the classes of checks, and says which failed. */
public final class Checks {
    private static final Class<?>[] ALL = {
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
        ViewCheck.class,
    };

    /** What callbacks throw on purpose would be logged with its trace; a logger that nobody holds forgets its level. */
    private static final Logger LOG = Logger.getLogger("dev.pushgate");

    private Checks() {}

    /** Runs those whose name has the first argument in it, or all. */
    public static void main(String[] arguments) throws IllegalAccessException {
        Locale.setDefault(Locale.GERMANY);
        LOG.setLevel(Level.OFF);
        String wanted = arguments.length > 0 ? arguments[0] : "";
        int passed = 0;
        int failed = 0;
        for (Class<?> noun : ALL) {
            for (Method check : noun.getDeclaredMethods()) {
                String name = noun.getSimpleName() + "." + check.getName();
                int modifiers = check.getModifiers();
                boolean isCheck = Modifier.isStatic(modifiers) && Modifier.isPublic(modifiers);
                if (!isCheck || !name.contains(wanted)) {
                    continue;
                }
                long start = System.nanoTime();
                boolean isGood = passes(check);
                long millis = (System.nanoTime() - start) / 1_000_000;
                System.out.println((isGood ? "ok " : "FAILED ") + name + " " + millis + " ms");
                passed += isGood ? 1 : 0;
                failed += isGood ? 0 : 1;
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
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

    private static boolean passes(Method check) throws IllegalAccessException {
        try {
            check.invoke(null);
            return true;
        } catch (InvocationTargetException failed) {
            failed.getCause().printStackTrace(System.out);
            return false;
        }
    }
}
