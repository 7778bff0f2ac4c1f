package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.Logger;

/** Holds the library, and with it our stand-ins, to what the oldest Android that it is for really has: API 21. */
final class ApiCheck {
    private ApiCheck() {}

    public static void nothingIsUsedThatTheOldestAndroidHasNot() throws IOException {
        Set<String> nouns = new HashSet<>();
        for (String source : listOf(new File(System.getProperty("pushgate.sources")))) {
            nouns.add(source.replace(".java", ""));
        }
        File classes = new File(System.getProperty("pushgate.classes"), "dev/pushgate");
        Heard heard = new Heard();
        int checked = 0;
        try (InputStream signature = new FileInputStream(System.getProperty("pushgate.signature"))) {
            Set<String> others = new HashSet<>(Arrays.asList("okhttp3.*", "okio.*", "dev.pushgate.*"));
            // What a compiler for Android makes of lambdas itself.
            others.add("java.lang.invoke.*");
            SignatureChecker checker = new SignatureChecker(signature, others, heard);
            checker.setSourcePath(Collections.<File>emptyList());
            for (String name : listOf(classes)) {
                if (nouns.contains(name.replaceAll("(\\$.*)?\\.class$", ""))) {
                    checker.process(new File(classes, name));
                    checked += 1;
                }
            }
        }
        check(checked >= nouns.size() - 1, "only " + checked + " classes");
        // Asked for only where Android is new enough.
        same(heard.missing.toString(), "[registerDefaultNetworkCallback]");
    }

    private static Set<String> listOf(File folder) {
        String[] names = folder.list();
        check(names != null, folder + " is missing");
        return new TreeSet<>(Arrays.asList(names));
    }

    /** Keeps the names of the methods that were not found; classes and fields whole. */
    private static final class Heard implements Logger {
        final List<String> missing = new ArrayList<>();

        @Override
        public void info(String message) {}

        @Override
        public void info(String message, Throwable t) {}

        @Override
        public void debug(String message) {}

        @Override
        public void debug(String message, Throwable t) {}

        @Override
        public void warn(String message) {
            error(message);
        }

        @Override
        public void warn(String message, Throwable t) {
            error(message);
        }

        @Override
        public void error(String message) {
            missing.add(message.replaceAll(".*Undefined reference: .*\\.(\\w+)\\(.*", "$1"));
        }

        @Override
        public void error(String message, Throwable t) {
            error(message);
        }
    }
}
