namespace UnityEngine
{
    /// <summary>A script. What Unity calls by name, <see cref="Loop"/> calls here.</summary>
    public class MonoBehaviour : Component
    {
        bool isEnabled;

        public bool enabled
        {
            get { return isEnabled; }
            set
            {
                if (isEnabled == value) return;
                isEnabled = value;
                Loop.Call(this, value ? "OnEnable" : "OnDisable");
            }
        }

        public bool isActiveAndEnabled => isEnabled;
    }
}
