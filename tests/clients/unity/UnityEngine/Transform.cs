namespace UnityEngine
{
    /// <summary>Where a GameObject is.</summary>
    public sealed class Transform : Component
    {
        public Vector3 position { get; set; }
    }
}
