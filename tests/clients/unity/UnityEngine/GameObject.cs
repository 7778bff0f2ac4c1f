using System.Collections.Generic;
using System.Linq;

namespace UnityEngine
{
    /// <summary>A thing in the scene, with its components. Always active.</summary>
    public sealed class GameObject : Object
    {
        /// <summary>Those that were not destroyed.</summary>
        internal static readonly List<GameObject> All = new List<GameObject>();

        internal readonly List<Component> Parts = new List<Component>();

        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform { gameObject = this };
            All.Add(this);
        }

        public Transform transform { get; }

        public T AddComponent<T>() where T : Component, new()
        {
            var part = new T { gameObject = this };
            Parts.Add(part);
            var script = part as MonoBehaviour;
            if (!ReferenceEquals(script, null)) Loop.Add(script);
            return part;
        }

        public T GetComponent<T>() where T : Component
        {
            return Parts.OfType<T>().FirstOrDefault();
        }

        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            return new GameObject(type.ToString());
        }
    }
}
