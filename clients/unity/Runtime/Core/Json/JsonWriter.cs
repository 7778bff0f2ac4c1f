using System;
using System.Globalization;
using System.Text;

namespace Pushgate
{
    /// <summary>The little JSON that clients write: texts and numbers, the same whatever the locale.</summary>
    public static class JsonWriter
    {
        /// <summary>A text as JSON, quotes included.</summary>
        /// <param name="text">Any text; null is written as an empty one.</param>
        /// <returns>The JSON.</returns>
        public static string Quote(string text)
        {
            var json = new StringBuilder();
            json.Append('"');
            foreach (char letter in text ?? "")
            {
                if (letter == '"' || letter == '\\') json.Append('\\').Append(letter);
                else if (letter < ' ') json.Append("\\u").Append(((int)letter).ToString("x4", CultureInfo.InvariantCulture));
                else json.Append(letter);
            }
            return json.Append('"').ToString();
        }

        /// <summary>A number with the fewest digits that read back as the same double.</summary>
        /// <param name="number">A finite number.</param>
        /// <returns>The JSON, such as <c>0.1</c>, <c>-3</c> or <c>1E+20</c>.</returns>
        /// <exception cref="ArgumentException">JSON knows neither NaN nor infinity.</exception>
        public static string Number(double number)
        {
            if (double.IsNaN(number) || double.IsInfinity(number)) throw new ArgumentException("no number of JSON", nameof(number));
            // "R" is not always exact, nor shortest, on the runtimes that Unity has.
            for (int digits = 15; digits < 17; digits += 1)
            {
                string text = number.ToString("G" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
                if (IsSame(text, number)) return text;
            }
            return number.ToString("G17", CultureInfo.InvariantCulture);
        }

        static bool IsSame(string text, double number)
        {
            double back;
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out back) && back.Equals(number);
        }
    }
}
