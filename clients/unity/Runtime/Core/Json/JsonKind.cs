namespace Pushgate
{
    /// <summary>What a <see cref="JsonValue"/> is.</summary>
    public enum JsonKind
    {
        /// <summary><c>null</c>.</summary>
        Null,

        /// <summary><c>true</c>.</summary>
        True,

        /// <summary><c>false</c>.</summary>
        False,

        /// <summary>A number, with the digits it came with.</summary>
        Number,

        /// <summary>A text.</summary>
        String,

        /// <summary>A list of values.</summary>
        Array,

        /// <summary>Values by name.</summary>
        Object,
    }
}
