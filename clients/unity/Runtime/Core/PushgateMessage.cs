namespace Pushgate
{
    /// <summary>One message of a channel, in one shape for all kinds of channels.</summary>
    public sealed class PushgateMessage
    {
        PushgateMessage(string raw, JsonValue whole)
        {
            Raw = raw;
            Whole = whole;
            JsonValue message = whole["message"];
            // Kinds whose objects carry no id come wrapped; those of kind `message` have their own envelope.
            bool isWrapped = whole["data"] != null && whole["client_id"]?.Text != null;
            JsonValue envelope = message != null && message.Kind == JsonKind.Object ? message : whole;
            Id = envelope["id"]?.Text;
            ClientId = envelope["client_id"]?.Text;
            if (isWrapped) Data = whole["data"];
            else if (envelope != whole) Data = message["value"];
            else Data = message?.Text != null ? message : whole;
            IsPosition = isWrapped && Id != null;
        }

        /// <summary>Where it is in the channel's order; null of a direct message.</summary>
        public string Id { get; }

        /// <summary>Whose it is; null where the channel does not tell.</summary>
        public string ClientId { get; }

        /// <summary>What was posted: the text of a chat, the object of a camera.</summary>
        public JsonValue Data { get; }

        /// <summary>The whole message.</summary>
        public JsonValue Whole { get; }

        /// <summary>The whole message as it came.</summary>
        public string Raw { get; }

        /// <summary>Whether a later one of its sender can take its place, where only the newest counts.</summary>
        internal bool IsPosition { get; }

        /// <summary>Reads a message; null where it is none, which a later version may have its reasons for.</summary>
        internal static PushgateMessage Read(string raw)
        {
            JsonValue whole;
            return JsonValue.TryParse(raw, out whole) ? new PushgateMessage(raw, whole) : null;
        }
    }
}
