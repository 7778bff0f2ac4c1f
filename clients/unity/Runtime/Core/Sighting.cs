namespace Pushgate
{
    /// <summary>That another client was seen at a position.</summary>
    public struct Sighting
    {
        /// <summary>Its client id; empty where a backend has no name.</summary>
        public readonly string ClientId;

        /// <summary>Where it was.</summary>
        public readonly CameraPosition Position;

        /// <summary>A sighting.</summary>
        /// <param name="clientId">Whose.</param>
        /// <param name="position">Where.</param>
        public Sighting(string clientId, CameraPosition position)
        {
            ClientId = clientId;
            Position = position;
        }
    }
}
