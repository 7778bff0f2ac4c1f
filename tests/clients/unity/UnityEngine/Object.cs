using System.Collections.Generic;

namespace UnityEngine
{
    /// <summary>What Unity calls an object: one that was destroyed equals null.</summary>
    public class Object
    {
        bool isDestroyed;

        public string name { get; set; } = "";

        public static bool operator ==(Object one, Object other)
        {
            bool oneIsNone = IsNone(one), otherIsNone = IsNone(other);
            return oneIsNone || otherIsNone ? oneIsNone == otherIsNone : ReferenceEquals(one, other);
        }

        public static bool operator !=(Object one, Object other)
        {
            return !(one == other);
        }

        public override bool Equals(object other)
        {
            return ReferenceEquals(this, other);
        }

        public override int GetHashCode()
        {
            return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
        }

        public static void Destroy(Object what)
        {
            if (what == null) return;
            var whole = what as GameObject;
            if (!ReferenceEquals(whole, null))
            {
                foreach (Component part in new List<Component>(whole.Parts)) Destroy(part);
                GameObject.All.Remove(whole);
            }
            var script = what as MonoBehaviour;
            if (!ReferenceEquals(script, null))
            {
                script.enabled = false;
                Loop.Call(script, "OnDestroy");
                Loop.Remove(script);
            }
            what.isDestroyed = true;
        }

        public static GameObject Instantiate(GameObject original)
        {
            return new GameObject(original.name + "(Clone)");
        }

        static bool IsNone(Object what)
        {
            return ReferenceEquals(what, null) || what.isDestroyed;
        }
    }
}
