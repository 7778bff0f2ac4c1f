package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

final class JsonCheck {
    private JsonCheck() {}

    public static void whatIsJsonIsRead() {
        Json json = Json.parse(" {\"x\" : -1.5e2,\"s\":\"a\\u00e9\\n\\\"\\/\",\"o\":{\"in\":[1, {\"a\":[]}]},\"n\":null} ");
        same(json.number("x"), -150.0);
        same(json.string("s"), "aé\n\"/");
        same(json.get("o").text(), "{\"in\":[1, {\"a\":[]}]}");
        same(json.get("n").text(), "null");
        same(json.size(), 4);
        check(json.string("x") == null && Double.isNaN(json.number("s")), "one is not the other");
        check(json.get("none") == null && Double.isNaN(json.number("none")), "what is not there");
        check(Double.isInfinite(Json.parse("{\"x\":1e999}").number("x")), "more than a double holds");
        for (String good : new String[] {"0", "-0", "1E+2", "true", "false", "null", "[]", "{}", "\"\"", "[[1],2]"}) {
            same(Json.parse(good).text(), good);
        }
    }

    public static void whatIsNearlyJsonIsNot() {
        String[] junk = {
            "", " ", "{", "}", "{]", "[1,]", "{\"a\":1,}", "{a:1}", "{'a':1}", "01", "+1", ".5", "1.", "1e", "-",
            "NaN", "Infinity", "tru", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\u٠٠٠٠\"", "\"\n\"", "1 2", "[1 2]",
            "{\"a\" 1}", "{\"a\":}", "{,}", "[,]", "\0", "//", "{}x",
        };
        for (String text : junk) {
            check(Json.parse(text) == null, text + " was read");
        }
        StringBuilder deep = new StringBuilder();
        for (int depth = 0; depth < 100_000; depth += 1) {
            deep.append('[');
        }
        check(Json.parse(deep.toString()) == null, "what is too deep was read");
    }

    public static void aStringComesBackFromItsQuotes() {
        String text = "a\"\\\u0000\n\u2028é로\uD83E\uDD80</script>";
        String quoted = Json.quote(text);
        same(Json.parse("{\"t\":" + quoted + "}").string("t"), text);
        check(quoted.indexOf('\u2028') < 0 && quoted.indexOf('\n') < 0, quoted);
        same(Json.quote("\uD83E!\uDD80"), "\"\\ud83e!\\udd80\"");
    }
}
