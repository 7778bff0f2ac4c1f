using System;
using System.Globalization;
using System.Linq;
using Pushgate;

internal static class JsonCases
{
    public static void json_is_read_as_it_is_written()
    {
        JsonValue value = Read(" { \"a\" : [ 1 , -0.5e+3, true , false, null, \"\\u00e9\\n\\\"\\/\\ud83e\\udd80\" ] , \"b\" : { } } ");
        Cases.Same("1 -0.5e+3", string.Join(" ", value["a"].Items.Take(2).Select(item => item.Digits)));
        Cases.Same(JsonKind.True, value["a"].Items[2].Kind);
        Cases.Same(JsonKind.Null, value["a"].Items[4].Kind);
        Cases.Same("é\n\"/\U0001F980", value["a"].Items[5].Text);
        Cases.Same(0, value["b"].MemberCount);
        Cases.Same(null, value["b"]["c"]);
        Cases.Same(null, value["a"].Items[0]["c"]);
        Cases.Same("2", Read("{\"a\":1,\"a\":2}")["a"].Digits);
    }

    public static void what_is_no_json_is_not_read()
    {
        string[] bad =
        {
            "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{1:1}", "01", "-", "1.", ".5", "+1", "1e", "1e+", "NaN",
            "Infinity", "tru", "nul", "'a'", "\"a", "\"\t\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\u12", "1 2", "[1 2]",
            "\uFEFF1", "\"\\", "{\"a\"", "{\"a\":", "[", "[1", "\u00a01", "1,5",
        };
        foreach (string json in bad) Cases.That(!Parses(json), "read <" + json + ">");
        Cases.That(!Parses(null), "read null");
    }

    public static void depth_has_a_bound()
    {
        Cases.That(Parses(new string('[', 60) + new string(']', 60)), "60 levels");
        Cases.That(!Parses(new string('[', 100000)), "100000 levels");
        Cases.That(!Parses(new string('[', 100) + new string(']', 100)), "100 levels");
    }

    public static void numbers_are_read_whatever_the_locale()
    {
        double number;
        Cases.That(Read("1.5").TryNumber(out number) && number == 1.5, "1.5");
        Cases.That(Read("-1e-3").TryNumber(out number) && number == -0.001, "-1e-3");
        Cases.That(!Read("1e999").TryNumber(out number) && number == 0, "1e999 is no double");
        Cases.That(!Read("-1e999").TryNumber(out number), "-1e999 is no double");
        Cases.That(!Read("\"1\"").TryNumber(out number), "a text is no number");
    }

    public static void numbers_are_written_with_a_point_and_come_back()
    {
        Cases.Same("1,5", 1.5.ToString(), "the locale of the test");
        Cases.Same("0.1", JsonWriter.Number(0.1));
        Cases.Same("-3", JsonWriter.Number(-3));
        Cases.Same("0.375", JsonWriter.Number(0.375));
        double[] numbers =
        {
            0, 1e20, 1e-7, 1.0 / 3, Math.PI, 123456789.123456789, double.MaxValue, double.Epsilon, 5e-324, 0.1 + 0.2, 9007199254740993,
            -1e300,
        };
        foreach (double number in numbers)
        {
            double back;
            string json = JsonWriter.Number(number);
            Cases.That(Read(json).TryNumber(out back) && back.Equals(number), json + " for " + number.ToString("R", CultureInfo.InvariantCulture));
        }
    }

    public static void texts_are_quoted()
    {
        string text = "a\"b\\c\n\t\0\u2028 é \U0001F980 </script>";
        string json = JsonWriter.Quote(text);
        Cases.Same(text, Read(json).Text);
        Cases.Same("\"\"", JsonWriter.Quote(null));
        Cases.Same("\"\\u000a\"", JsonWriter.Quote("\n"));
    }

    static JsonValue Read(string json)
    {
        JsonValue value;
        Cases.That(JsonValue.TryParse(json, out value), "is JSON: " + json);
        return value;
    }

    static bool Parses(string json)
    {
        JsonValue value;
        return JsonValue.TryParse(json, out value);
    }
}
