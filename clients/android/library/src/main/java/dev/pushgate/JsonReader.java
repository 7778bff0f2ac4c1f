package dev.pushgate;

import java.util.Map;

/** Reads one text as JSON (RFC 8259), and nothing that is only nearly JSON. */
final class JsonReader {
    /** How deep values may lie in each other: each level is a step of the stack. */
    private static final int DEEPEST = 64;

    private final String text;
    private int at;

    JsonReader(String text) {
        this.text = text;
    }

    /** Something else than JSON. */
    static final class NotJson extends Exception {
        private static final long serialVersionUID = 1;

        NotJson(int at) {
            super("no JSON at " + at);
        }
    }

    /** The one value that the text is. */
    Json whole() throws NotJson {
        Json value = value(0);
        if (at != text.length()) {
            throw new NotJson(at);
        }
        return value;
    }

    /** A value, and the white space around it. */
    private Json value(int depth) throws NotJson {
        space();
        int start = at;
        String string = null;
        Map<String, Json> members = null;
        boolean isNumber = false;
        switch (peek()) {
            case '{':
                members = object(depth + 1);
                break;
            case '[':
                array(depth + 1);
                break;
            case '"':
                string = string();
                break;
            case 't':
                word("true");
                break;
            case 'f':
                word("false");
                break;
            case 'n':
                word("null");
                break;
            default:
                number();
                isNumber = true;
        }
        Json value = new Json(text.substring(start, at), string, members, isNumber);
        space();
        return value;
    }

    private Map<String, Json> object(int depth) throws NotJson {
        Map<String, Json> members = Json.members();
        boolean isFirst = true;
        open(depth);
        while (more('}', isFirst)) {
            isFirst = false;
            space();
            String name = string();
            space();
            expect(':');
            members.put(name, value(depth));
        }
        return members;
    }

    private void array(int depth) throws NotJson {
        boolean isFirst = true;
        open(depth);
        while (more(']', isFirst)) {
            isFirst = false;
            value(depth);
        }
    }

    private void open(int depth) throws NotJson {
        if (depth > DEEPEST) {
            throw new NotJson(at);
        }
        at += 1;
        space();
    }

    /** Whether a further element follows; takes the comma or the end. */
    private boolean more(char end, boolean isFirst) throws NotJson {
        if (peek() == end) {
            at += 1;
            return false;
        }
        if (!isFirst) {
            expect(',');
        }
        return true;
    }

    private String string() throws NotJson {
        expect('"');
        StringBuilder string = new StringBuilder();
        for (;;) {
            char letter = take();
            if (letter == '"') {
                return string.toString();
            } else if (letter == '\\') {
                string.append(escaped());
            } else if (letter < ' ') {
                throw new NotJson(at);
            } else {
                string.append(letter);
            }
        }
    }

    private char escaped() throws NotJson {
        char letter = take();
        switch (letter) {
            case '"':
            case '\\':
            case '/':
                return letter;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int digit = 0; digit < 4; digit += 1) {
                    code = 16 * code + hex(take());
                }
                return (char) code;
            default:
                throw new NotJson(at);
        }
    }

    private int hex(char letter) throws NotJson {
        int digit = letter < 128 ? Character.digit(letter, 16) : -1;
        if (digit < 0) {
            throw new NotJson(at);
        }
        return digit;
    }

    private void number() throws NotJson {
        if (peek() == '-') {
            at += 1;
        }
        if (peek() == '0') {
            at += 1;
        } else {
            digits();
        }
        if (peek() == '.') {
            at += 1;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            at += 1;
            if (peek() == '+' || peek() == '-') {
                at += 1;
            }
            digits();
        }
    }

    private void digits() throws NotJson {
        int start = at;
        while (peek() >= '0' && peek() <= '9') {
            at += 1;
        }
        if (at == start) {
            throw new NotJson(at);
        }
    }

    private void word(String word) throws NotJson {
        if (!text.startsWith(word, at)) {
            throw new NotJson(at);
        }
        at += word.length();
    }

    private void space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
            at += 1;
        }
    }

    private void expect(char letter) throws NotJson {
        if (take() != letter) {
            throw new NotJson(at);
        }
    }

    private char take() throws NotJson {
        if (at >= text.length()) {
            throw new NotJson(at);
        }
        return text.charAt(at++);
    }

    /** What comes next; at the end something that no JSON begins or goes on with. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }
}
