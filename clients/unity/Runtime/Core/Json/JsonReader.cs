using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Pushgate
{
    /// <summary>
    /// Reads JSON as RFC 8259 has it, and nothing looser. Bound: <see cref="Deepest"/> levels, so that
    /// brackets without end cannot exhaust the stack.
    /// </summary>
    internal sealed class JsonReader
    {
        const int Deepest = 64;

        readonly string json;
        int at;

        JsonReader(string json)
        {
            this.json = json;
        }

        /// <summary>What a whole text says; null where it is not JSON.</summary>
        internal static JsonValue Read(string json)
        {
            if (json == null) return null;
            var reader = new JsonReader(json);
            JsonValue value = reader.Value(0);
            reader.SkipSpace();
            return reader.at == json.Length ? value : null;
        }

        char Here => at < json.Length ? json[at] : '\0';

        JsonValue Value(int depth)
        {
            if (depth > Deepest) return null;
            SkipSpace();
            switch (Here)
            {
                case '{':
                    return Object(depth);
                case '[':
                    return Array(depth);
                case '"':
                    string text = Text();
                    return text == null ? null : new JsonValue(JsonKind.String, text);
                case 't':
                    return Word("true", JsonKind.True);
                case 'f':
                    return Word("false", JsonKind.False);
                case 'n':
                    return Word("null", JsonKind.Null);
                default:
                    return Number();
            }
        }

        JsonValue Object(int depth)
        {
            var members = new Dictionary<string, JsonValue>();
            at += 1;
            SkipSpace();
            if (Take('}')) return new JsonValue(members);
            while (true)
            {
                SkipSpace();
                string name = Here == '"' ? Text() : null;
                if (name == null) return null;
                SkipSpace();
                if (!Take(':')) return null;
                JsonValue value = Value(depth + 1);
                if (value == null) return null;
                members[name] = value;
                SkipSpace();
                if (Take('}')) return new JsonValue(members);
                if (!Take(',')) return null;
            }
        }

        JsonValue Array(int depth)
        {
            var items = new List<JsonValue>();
            at += 1;
            SkipSpace();
            if (Take(']')) return new JsonValue(items);
            while (true)
            {
                JsonValue value = Value(depth + 1);
                if (value == null) return null;
                items.Add(value);
                SkipSpace();
                if (Take(']')) return new JsonValue(items);
                if (!Take(',')) return null;
            }
        }

        JsonValue Word(string word, JsonKind kind)
        {
            if (string.CompareOrdinal(json, at, word, 0, word.Length) != 0) return null;
            at += word.Length;
            return new JsonValue(kind, null);
        }

        JsonValue Number()
        {
            int start = at;
            Take('-');
            // A zero stands alone: 01 is no number.
            if (!Take('0') && !TakeDigits()) return null;
            if (Take('.') && !TakeDigits()) return null;
            if (Take('e') || Take('E'))
            {
                if (!Take('+')) Take('-');
                if (!TakeDigits()) return null;
            }
            return new JsonValue(JsonKind.Number, json.Substring(start, at - start));
        }

        string Text()
        {
            int start = at + 1;
            for (at = start; at < json.Length; at += 1)
            {
                char letter = json[at];
                if (letter == '"') return json.Substring(start, at++ - start);
                if (letter == '\\') return EscapedText(start);
                if (letter < ' ') return null;
            }
            return null;
        }

        string EscapedText(int start)
        {
            var text = new StringBuilder(json, start, at - start, at - start + 32);
            while (at < json.Length)
            {
                char letter = json[at++];
                if (letter == '"') return text.ToString();
                if (letter < ' ') return null;
                if (letter == '\\' && !Escape(out letter)) return null;
                text.Append(letter);
            }
            return null;
        }

        bool Escape(out char letter)
        {
            letter = Here;
            at += 1;
            switch (letter)
            {
                case '"':
                case '\\':
                case '/':
                    return true;
                case 'b':
                    letter = '\b';
                    return true;
                case 'f':
                    letter = '\f';
                    return true;
                case 'n':
                    letter = '\n';
                    return true;
                case 'r':
                    letter = '\r';
                    return true;
                case 't':
                    letter = '\t';
                    return true;
                case 'u':
                    return FourDigits(out letter);
                default:
                    return false;
            }
        }

        bool FourDigits(out char letter)
        {
            letter = '\0';
            if (at + 4 > json.Length) return false;
            string digits = json.Substring(at, 4);
            ushort code;
            if (!ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out code)) return false;
            at += 4;
            letter = (char)code;
            return true;
        }

        bool Take(char wanted)
        {
            if (at >= json.Length || json[at] != wanted) return false;
            at += 1;
            return true;
        }

        bool TakeDigits()
        {
            int start = at;
            while (Here >= '0' && Here <= '9') at += 1;
            return at > start;
        }

        void SkipSpace()
        {
            while (Here == ' ' || Here == '\t' || Here == '\n' || Here == '\r') at += 1;
        }
    }
}
