namespace UnityEngine
{
    /// <summary>What can be made without a model.</summary>
    public enum PrimitiveType
    {
        Sphere,
    }
}
