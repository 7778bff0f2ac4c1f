using System;
using System.Globalization;

namespace Pushgate
{
    /// <summary>Where a camera is, in the units of the scene (metres, in Unity).</summary>
    public struct CameraPosition : IEquatable<CameraPosition>
    {
        /// <summary>To the right.</summary>
        public readonly double X;

        /// <summary>Up.</summary>
        public readonly double Y;

        /// <summary>Ahead.</summary>
        public readonly double Z;

        /// <summary>A position.</summary>
        /// <param name="x">To the right.</param>
        /// <param name="y">Up.</param>
        /// <param name="z">Ahead.</param>
        public CameraPosition(double x, double y, double z)
        {
            X = x;
            Y = y;
            Z = z;
        }

        /// <summary>Whether all three are numbers; only such a position is ever sent.</summary>
        public bool IsFinite => IsNumber(X) && IsNumber(Y) && IsNumber(Z);

        /// <summary>A position in single precision with its own digits: 0.1f stays 0.1.</summary>
        /// <param name="x">To the right.</param>
        /// <param name="y">Up.</param>
        /// <param name="z">Ahead.</param>
        /// <returns>The position.</returns>
        public static CameraPosition FromSingle(float x, float y, float z)
        {
            return new CameraPosition(Widen(x), Widen(y), Widen(z));
        }

        /// <summary>Whether no coordinate differs by more than <paramref name="epsilon"/>.</summary>
        /// <param name="other">Another position.</param>
        /// <param name="epsilon">In the units of the scene.</param>
        /// <returns>Whether the two are that near.</returns>
        public bool IsNear(CameraPosition other, double epsilon)
        {
            return Math.Abs(X - other.X) <= epsilon && Math.Abs(Y - other.Y) <= epsilon && Math.Abs(Z - other.Z) <= epsilon;
        }

        /// <inheritdoc/>
        public bool Equals(CameraPosition other)
        {
            return X.Equals(other.X) && Y.Equals(other.Y) && Z.Equals(other.Z);
        }

        /// <inheritdoc/>
        public override bool Equals(object other)
        {
            return other is CameraPosition && Equals((CameraPosition)other);
        }

        /// <inheritdoc/>
        public override int GetHashCode()
        {
            return X.GetHashCode() ^ (Y.GetHashCode() * 31) ^ (Z.GetHashCode() * 961);
        }

        /// <summary>The three numbers, whatever the locale.</summary>
        /// <returns>Such as <c>(1, 0.5, -2)</c>.</returns>
        public override string ToString()
        {
            return string.Format(CultureInfo.InvariantCulture, "({0}, {1}, {2})", X, Y, Z);
        }

        /// <summary>The way it travels: <c>{"x":1,"y":0.5,"z":-2}</c>. It must be finite.</summary>
        internal string ToJson()
        {
            return "{\"x\":" + JsonWriter.Number(X) + ",\"y\":" + JsonWriter.Number(Y) + ",\"z\":" + JsonWriter.Number(Z) + "}";
        }

        /// <summary>The position in a message's data; false where it holds none.</summary>
        internal static bool TryRead(JsonValue data, out CameraPosition position)
        {
            position = default(CameraPosition);
            double x, y, z;
            if (data == null || !IsNumber(data["x"], out x) || !IsNumber(data["y"], out y) || !IsNumber(data["z"], out z)) return false;
            position = new CameraPosition(x, y, z);
            return true;
        }

        static bool IsNumber(JsonValue value, out double number)
        {
            number = 0;
            return value != null && value.TryNumber(out number);
        }

        static bool IsNumber(double number)
        {
            return !double.IsNaN(number) && !double.IsInfinity(number);
        }

        static double Widen(float number)
        {
            if (float.IsNaN(number) || float.IsInfinity(number)) return double.NaN;
            for (int digits = 7; digits < 9; digits += 1)
            {
                double wide = double.Parse(Text(number, digits), CultureInfo.InvariantCulture);
                if ((float)wide == number) return wide;
            }
            return double.Parse(Text(number, 9), CultureInfo.InvariantCulture);
        }

        static string Text(float number, int digits)
        {
            return number.ToString("G" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        }
    }
}
