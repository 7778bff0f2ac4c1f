package dev.pushgate;

import java.util.HashMap;
import java.util.Map;

/**
 * One value of JSON, with the text it came as. Members of objects can be asked for; what is in arrays is only
 * checked, since no message of a gateway that this client reads has one.
 */
final class Json {
    private final String text;
    private final String string;
    private final Map<String, Json> members;
    private final boolean isNumber;

    Json(String text, String string, Map<String, Json> members, boolean isNumber) {
        this.text = text;
        this.string = string;
        this.members = members;
        this.isNumber = isNumber;
    }

    /** What a text says; null where it is no JSON, or nested deeper than anything that means something. */
    static Json parse(String text) {
        try {
            return new JsonReader(text).whole();
        } catch (JsonReader.NotJson notJson) {
            return null;
        }
    }

    /** A string as JSON, with its quotes. */
    static String quote(String string) {
        StringBuilder quoted = new StringBuilder(string.length() + 2).append('"');
        for (int at = 0; at < string.length(); at += 1) {
            char letter = string.charAt(at);
            if (letter == '"' || letter == '\\') {
                quoted.append('\\').append(letter);
            } else if (letter < ' ' || letter == '\u2028' || letter == '\u2029' || isAlone(string, at)) {
                // Half of a pair would not survive UTF-8.
                String digits = Integer.toHexString(letter);
                quoted.append("\\u").append("0000", 0, 4 - digits.length()).append(digits);
            } else {
                quoted.append(letter);
            }
        }
        return quoted.append('"').toString();
    }

    /** The value as it came. */
    String text() {
        return text;
    }

    /** Whether it is an object. */
    boolean isObject() {
        return members != null;
    }

    /** How many members it has; 0 where it is no object. */
    int size() {
        return members == null ? 0 : members.size();
    }

    /** A member; null where there is none, or this is no object. */
    Json get(String name) {
        return members == null ? null : members.get(name);
    }

    /** The string of a member; null where there is none. */
    String string(String name) {
        Json member = get(name);
        return member == null ? null : member.string;
    }

    /** The number of a member; NaN where there is none, infinite where no double holds it. */
    double number(String name) {
        Json member = get(name);
        return member == null || !member.isNumber ? Double.NaN : Double.parseDouble(member.text);
    }

    /** An object, for a reader that fills it. */
    static Map<String, Json> members() {
        return new HashMap<>();
    }

    private static boolean isAlone(String string, int at) {
        char letter = string.charAt(at);
        if (Character.isHighSurrogate(letter)) {
            return at + 1 == string.length() || !Character.isLowSurrogate(string.charAt(at + 1));
        }
        return Character.isLowSurrogate(letter)
                && (at == 0 || !Character.isHighSurrogate(string.charAt(at - 1)));
    }
}
