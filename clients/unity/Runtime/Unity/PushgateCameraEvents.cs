using System;
using UnityEngine;
using UnityEngine.Events;

namespace Pushgate
{
    /// <summary>The events of a <see cref="PushgateCamera"/> for the inspector; those for code have the same names.</summary>
    [Serializable]
    public sealed class PushgateCameraEvents
    {
        /// <summary>Another client was seen: its client id, and where it is, in metres.</summary>
        public UnityEvent<string, Vector3> seen = new UnityEvent<string, Vector3>();

        /// <summary>A connection is open, at first and after each interruption.</summary>
        public UnityEvent opened = new UnityEvent();

        /// <summary>Positions are lost for good.</summary>
        public UnityEvent gap = new UnityEvent();

        /// <summary>Something failed: what.</summary>
        public UnityEvent<string> failed = new UnityEvent<string>();

        /// <summary>It is over until it is enabled again or reopened: why, or nothing where it was disabled.</summary>
        public UnityEvent<string> closed = new UnityEvent<string>();
    }
}
