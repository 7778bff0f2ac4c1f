using System.Collections.Generic;
using UnityEngine;

namespace Pushgate
{
    /// <summary>A sample: one GameObject for each other client of a scene, where that client is.</summary>
    [AddComponentMenu("Pushgate/Pushgate Markers")]
    public sealed class PushgateMarkers : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Whose scene.")]
        PushgateCamera scene;

        [SerializeField]
        [Tooltip("What stands for a client; a sphere where there is none.")]
        GameObject prefab;

        [SerializeField]
        [Tooltip("Seconds without news after which a marker goes; 0 for never.")]
        [Min(0f)]
        float patience = 120f;

        [SerializeField]
        [Tooltip("How many markers there are at most; others are not shown.")]
        [Min(1)]
        int most = 200;

        readonly Dictionary<string, Marker> markers = new Dictionary<string, Marker>();
        readonly List<string> gone = new List<string>();

        /// <summary>Whose scene. Set it before this is enabled.</summary>
        public PushgateCamera Scene
        {
            get { return scene; }
            set { scene = value; }
        }

        /// <summary>What stands for a client; a sphere where there is none.</summary>
        public GameObject Prefab
        {
            get { return prefab; }
            set { prefab = value; }
        }

        /// <summary>Seconds without news after which a marker goes, 0 for never. Who stands still sends none.</summary>
        public float Patience
        {
            get { return patience; }
            set { patience = value; }
        }

        /// <summary>How many markers there are at most; others are not shown.</summary>
        public int Most
        {
            get { return most; }
            set { most = value; }
        }

        /// <summary>How many there are.</summary>
        public int Count => markers.Count;

        void OnEnable()
        {
            if (scene != null) scene.Seen += Place;
        }

        void OnDisable()
        {
            if (scene != null) scene.Seen -= Place;
            foreach (Marker marker in markers.Values) Destroy(marker.Body);
            markers.Clear();
        }

        void Update()
        {
            if (patience <= 0) return;
            foreach (KeyValuePair<string, Marker> marker in markers)
            {
                if (Time.realtimeSinceStartup - marker.Value.SeenAt > patience) gone.Add(marker.Key);
            }
            foreach (string clientId in gone)
            {
                Destroy(markers[clientId].Body);
                markers.Remove(clientId);
            }
            gone.Clear();
        }

        void Place(string clientId, Vector3 position)
        {
            Marker marker;
            if (!markers.TryGetValue(clientId, out marker))
            {
                if (markers.Count >= most) return;
                marker = new Marker();
                markers.Add(clientId, marker);
            }
            // The scene may have taken it away.
            if (marker.Body == null) marker.Body = Make(clientId);
            marker.SeenAt = Time.realtimeSinceStartup;
            marker.Body.transform.position = position;
        }

        GameObject Make(string clientId)
        {
            GameObject body = prefab != null ? Instantiate(prefab) : GameObject.CreatePrimitive(PrimitiveType.Sphere);
            body.name = "pushgate " + clientId;
            return body;
        }

        sealed class Marker
        {
            internal GameObject Body;
            internal float SeenAt;
        }
    }
}
