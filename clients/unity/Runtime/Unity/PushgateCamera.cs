using System;
using UnityEngine;

namespace Pushgate
{
    /// <summary>
    /// A camera of a scene: sends where a transform is, and tells where the others are. It is connected while it is
    /// enabled, and by itself again after each interruption. All of its events are raised on the main thread.
    /// </summary>
    [AddComponentMenu("Pushgate/Pushgate Camera")]
    [DisallowMultipleComponent]
    public sealed class PushgateCamera : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("The gateway, such as https://push.example.org.")]
        string url = "http://127.0.0.1:8080";

        [SerializeField]
        [Tooltip("The scene: camera, or camera/ and a name.")]
        string channel = "camera";

        [SerializeField]
        [Tooltip("What others see on the list of who is present; 1 to 64 characters, or none.")]
        string displayName = "";

        [SerializeField]
        [Tooltip("Positions a second that are sent at most.")]
        [Range(0.1f, 60f)]
        float rate = 10f;

        [SerializeField]
        [Tooltip("How far it must move along an axis to be sent, in metres.")]
        [Min(0f)]
        float epsilon = 0.001f;

        [SerializeField]
        [Tooltip("Where we are, in the coordinates of the world. Without one nothing is sent but what Move is given.")]
        Transform source;

        [SerializeField]
        [Tooltip("Whether failures, gaps and ends are written to the console.")]
        bool isLogging = true;

        [SerializeField]
        [Tooltip("What to call.")]
        PushgateCameraEvents events = new PushgateCameraEvents();

        readonly Listeners listeners = new Listeners();
        PushgateClient client;
        CameraChannel scene;
        string connectedTo;

        /// <summary>Another client was seen: its client id, and where it is, in metres.</summary>
        public event Action<string, Vector3> Seen;

        /// <summary>A position of ours came back, in metres: everyone has it.</summary>
        public event Action<Vector3> Echoed;

        /// <summary>A connection is open, at first and after each interruption.</summary>
        public event Action Opened;

        /// <summary>Positions are lost for good.</summary>
        public event Action<PushgateGap> Gap;

        /// <summary>Something failed, and is tried again or not.</summary>
        public event Action<PushgateTrouble> Failed;

        /// <summary>It is over: null where it was disabled, else why. <see cref="Reopen"/> begins anew.</summary>
        public event Action<PushgateError> Closed;

        /// <summary>The gateway, such as <c>https://push.example.org</c>. A change holds when it is next enabled.</summary>
        public string Url
        {
            get { return url; }
            set { url = value; }
        }

        /// <summary><c>camera</c>, or <c>camera/</c> and a name. A change holds when it is next enabled.</summary>
        public string Channel
        {
            get { return channel; }
            set { channel = value; }
        }

        /// <summary>1 to 64 characters, or none. A change holds when it is next enabled.</summary>
        public string DisplayName
        {
            get { return displayName; }
            set { displayName = value; }
        }

        /// <summary>Positions a second that are sent at most; 10 unless said otherwise.</summary>
        public float Rate
        {
            get { return rate; }
            set { rate = value; }
        }

        /// <summary>How far it must move along an axis to be sent, in metres; 0.001 unless said otherwise.</summary>
        public float Epsilon
        {
            get { return epsilon; }
            set { epsilon = value; }
        }

        /// <summary>Whose position is sent; none for what <see cref="Move"/> is given.</summary>
        public Transform Source
        {
            get { return source; }
            set { source = value; }
        }

        /// <summary>Whether failures, gaps and ends are written to the console.</summary>
        public bool IsLogging
        {
            get { return isLogging; }
            set { isLogging = value; }
        }

        /// <summary>The events of the inspector, for code that prefers them.</summary>
        public PushgateCameraEvents Events => events;

        /// <summary>Our own client id; null before a login.</summary>
        public string ClientId => client?.ClientId;

        /// <summary>What it is doing.</summary>
        public PushgateState State => scene == null ? PushgateState.Closed : scene.Channel.State;

        /// <summary>Where we are, for who has no transform to send. It is sent as the rate allows.</summary>
        /// <param name="position">In metres.</param>
        public void Move(Vector3 position)
        {
            scene?.Move(CameraPosition.FromSingle(position.x, position.y, position.z));
        }

        /// <summary>Begins anew after <see cref="Closed"/>; for who was logged out or kicked, with a new login.</summary>
        public void Reopen()
        {
            if (isActiveAndEnabled) Connect();
        }

        void OnEnable()
        {
            Connect();
        }

        void Update()
        {
            if (client == null) return;
            scene.Rate = rate;
            scene.Epsilon = epsilon;
            if (source != null) Move(source.position);
            client.Update();
        }

        void OnDisable()
        {
            // The token is kept: enabled again it is the same client.
            client?.Close();
        }

        void OnApplicationPause(bool isPaused)
        {
            // A connection that nobody reads would fill up, and the system cuts it anyway.
            if (isPaused) client?.Rest();
            else client?.Wake();
        }

        void OnDestroy()
        {
            Leave();
        }

        void Connect()
        {
            string wanted = string.Join("\n", url, channel, displayName);
            if (client != null && wanted == connectedTo)
            {
                scene.Channel.Open();
                return;
            }
            Leave();
            try
            {
                Begin();
                connectedTo = wanted;
            }
            catch (ArgumentException exception)
            {
                Debug.LogException(exception, this);
            }
        }

        void Begin()
        {
            listeners.Complain = exception => Debug.LogException(exception, this);
            var begun = new PushgateClient(url) { Complain = listeners.Complain };
            var camera = new CameraChannel(begun, channel);
            begun.Failed += TellFailed;
            camera.Seen += TellSeen;
            camera.Echoed += position => listeners.Tell(Echoed, ToVector(position));
            camera.Channel.Opened += TellOpened;
            camera.Channel.Gap += TellGap;
            camera.Channel.Failed += TellFailed;
            camera.Channel.Closed += TellClosed;
            begun.Login(displayName);
            client = begun;
            scene = camera;
        }

        void Leave()
        {
            client?.Logout();
            client = null;
            scene = null;
        }

        // What the inspector calls comes last: where it throws, the client writes that to the console.
        void TellSeen(Sighting sighting)
        {
            Vector3 position = ToVector(sighting.Position);
            listeners.Tell(Seen, sighting.ClientId, position);
            events.seen.Invoke(sighting.ClientId, position);
        }

        void TellOpened()
        {
            listeners.Tell(Opened);
            events.opened.Invoke();
        }

        void TellGap(PushgateGap gap)
        {
            if (isLogging) Debug.Log("pushgate: positions were lost", this);
            listeners.Tell(Gap, gap);
            events.gap.Invoke();
        }

        void TellFailed(PushgateTrouble trouble)
        {
            if (isLogging) Debug.LogWarning("pushgate: " + trouble.Error, this);
            listeners.Tell(Failed, trouble);
            events.failed.Invoke(trouble.Error.ToString());
        }

        void TellClosed(PushgateError error)
        {
            if (isLogging && error != null) Debug.LogWarning("pushgate: it is over, " + error, this);
            listeners.Tell(Closed, error);
            events.closed.Invoke(error == null ? "" : error.ToString());
        }

        static Vector3 ToVector(CameraPosition position)
        {
            return new Vector3((float)position.X, (float)position.Y, (float)position.Z);
        }
    }
}
