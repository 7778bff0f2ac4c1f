using System.Collections.Generic;
using System.Globalization;

namespace Pushgate
{
    /// <summary>
    /// One JSON value as it was read. Asking it for what it is not is answered with null, so that
    /// members nobody has heard of, and members that are missing, need no care.
    /// </summary>
    public sealed class JsonValue
    {
        static readonly JsonValue[] None = new JsonValue[0];

        readonly string text;
        readonly IReadOnlyList<JsonValue> items;
        readonly Dictionary<string, JsonValue> members;

        internal JsonValue(JsonKind kind, string text)
        {
            Kind = kind;
            this.text = text;
        }

        internal JsonValue(IReadOnlyList<JsonValue> items)
        {
            Kind = JsonKind.Array;
            this.items = items;
        }

        internal JsonValue(Dictionary<string, JsonValue> members)
        {
            Kind = JsonKind.Object;
            this.members = members;
        }

        /// <summary>What it is.</summary>
        public JsonKind Kind { get; }

        /// <summary>The characters of a text; null for anything else.</summary>
        public string Text => Kind == JsonKind.String ? text : null;

        /// <summary>The digits of a number as they came, such as <c>1.50</c>; null for anything else.</summary>
        public string Digits => Kind == JsonKind.Number ? text : null;

        /// <summary>The values of an array in their order; empty for anything else.</summary>
        public IReadOnlyList<JsonValue> Items => items ?? None;

        /// <summary>How many members an object has; 0 for anything else.</summary>
        public int MemberCount => members == null ? 0 : members.Count;

        /// <summary>A member of an object; null where there is none. Of two with one name the last.</summary>
        public JsonValue this[string name]
        {
            get
            {
                JsonValue value = null;
                members?.TryGetValue(name, out value);
                return value;
            }
        }

        /// <summary>Reads a whole JSON text (RFC 8259), at most 64 levels deep.</summary>
        /// <param name="json">The text.</param>
        /// <param name="value">What it says; null where it is not JSON.</param>
        /// <returns>Whether it is JSON.</returns>
        public static bool TryParse(string json, out JsonValue value)
        {
            value = JsonReader.Read(json);
            return value != null;
        }

        /// <summary>The number, whatever the locale.</summary>
        /// <param name="number">The nearest double; 0 where it is no number.</param>
        /// <returns>Whether it is a number that a double can hold: <c>1e999</c> is not.</returns>
        public bool TryNumber(out double number)
        {
            number = 0;
            if (Kind != JsonKind.Number) return false;
            bool isRead = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
            if (isRead && !double.IsInfinity(number)) return true;
            number = 0;
            return false;
        }
    }
}
