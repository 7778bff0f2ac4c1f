using System;
using System.Globalization;
using System.Text;

namespace Pushgate
{
    /// <summary>Where a gateway is, and the addresses of its verbs.</summary>
    internal sealed class Address
    {
        readonly string http;
        readonly string socket;

        /// <summary>Takes <c>http://</c>, <c>https://</c>, <c>ws://</c> or <c>wss://</c>, with a path or without.</summary>
        /// <exception cref="ArgumentException">It is no such address.</exception>
        internal Address(string url)
        {
            Uri uri;
            if (!Uri.TryCreate((url ?? "").Trim(), UriKind.Absolute, out uri) || !IsKnown(uri.Scheme))
            {
                throw new ArgumentException("a gateway has an address such as https://push.example.org, not \"" + url + "\"", nameof(url));
            }
            bool isSecure = uri.Scheme == "https" || uri.Scheme == "wss";
            string rest = "://" + uri.Authority + uri.AbsolutePath.TrimEnd('/');
            http = (isSecure ? "https" : "http") + rest;
            socket = (isSecure ? "wss" : "ws") + rest;
        }

        /// <summary>The address of a verb over HTTP; <paramref name="path"/> begins with a slash.</summary>
        internal string Http(string path) => http + path;

        /// <summary>The address of a verb over WebSocket; <paramref name="path"/> begins with a slash.</summary>
        internal string Socket(string path) => socket + path;

        /// <summary>A channel's name behind a verb: <c>/chat/lobby</c>, or nothing for the root channel.</summary>
        /// <exception cref="ArgumentException">No channel has that name.</exception>
        internal static string PathOf(string channel)
        {
            var path = new StringBuilder();
            foreach (string segment in (channel ?? "").Split('/'))
            {
                if (segment.Length == 0) continue;
                // An address would take these for a way up.
                if (segment == "." || segment == "..") throw new ArgumentException("no channel has the name " + channel, nameof(channel));
                path.Append('/').Append(Escape(segment));
            }
            return path.ToString();
        }

        /// <summary>A text as it stands in a path, a query or a form. Any text: .NET's own refuses some.</summary>
        internal static string Escape(string text)
        {
            var escaped = new StringBuilder();
            foreach (byte code in Encoding.UTF8.GetBytes(text))
            {
                bool isPlain = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9');
                if (isPlain || "-._~".IndexOf((char)code) >= 0) escaped.Append((char)code);
                else escaped.Append('%').Append(code.ToString("X2", CultureInfo.InvariantCulture));
            }
            return escaped.ToString();
        }

        static bool IsKnown(string scheme)
        {
            return scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss";
        }
    }
}
