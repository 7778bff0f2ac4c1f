namespace Pushgate
{
    /// <summary>A request to the gateway.</summary>
    internal sealed class HttpRequest
    {
        internal HttpRequest(string method, string url, string token, string form)
        {
            Method = method;
            Url = url;
            Token = token;
            Form = form;
        }

        /// <summary><c>GET</c> or <c>POST</c>.</summary>
        internal string Method { get; }

        /// <summary>The whole address.</summary>
        internal string Url { get; }

        /// <summary>Goes into the header, never into the address; null for none.</summary>
        internal string Token { get; }

        /// <summary>The body, form-encoded; null for none.</summary>
        internal string Form { get; }
    }
}
