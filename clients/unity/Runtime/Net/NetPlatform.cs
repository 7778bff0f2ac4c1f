#if !UNITY_WEBGL || UNITY_EDITOR
using System;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Threading.Tasks;

namespace Pushgate
{
    /// <summary>The network by .NET's own <c>HttpClient</c> and <c>ClientWebSocket</c>.</summary>
    internal sealed class NetPlatform : IPlatform
    {
        const int AnswerWithin = 20;
        const int LongestAnswer = 1024 * 1024;

        // One for all, as it is meant to be used: it keeps no state of ours.
        static readonly HttpClient Http = NewHttp();

        public void Ask(HttpRequest request, Action<HttpAnswer> answered)
        {
            // Elsewhere: looking up a name may block.
            Task.Run(async () => answered(await AskAsync(request).ConfigureAwait(false)));
        }

        public ISocket Open(SocketRequest request, ISocketListener hear)
        {
            var socket = new NetSocket(request, hear);
            socket.Start();
            return socket;
        }

        static async Task<HttpAnswer> AskAsync(HttpRequest request)
        {
            try
            {
                using (var message = new HttpRequestMessage(new HttpMethod(request.Method), request.Url))
                {
                    // Some proxies never answer the question whether the body may come.
                    message.Headers.ExpectContinue = false;
                    if (request.Token != null) message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", request.Token);
                    if (request.Form != null) message.Content = new StringContent(request.Form, Encoding.UTF8, "application/x-www-form-urlencoded");
                    using (HttpResponseMessage response = await Http.SendAsync(message).ConfigureAwait(false))
                    {
                        string body = await response.Content.ReadAsStringAsync().ConfigureAwait(false);
                        return new HttpAnswer((int)response.StatusCode, body, RetryAfter(response.Headers.RetryAfter));
                    }
                }
            }
            catch (Exception exception)
            {
                return HttpAnswer.None(exception.GetBaseException().Message);
            }
        }

        static double? RetryAfter(RetryConditionHeaderValue value)
        {
            TimeSpan? wait = value?.Delta ?? value?.Date - DateTimeOffset.UtcNow;
            return wait == null ? (double?)null : Math.Max(0, wait.Value.TotalSeconds);
        }

        static HttpClient NewHttp()
        {
            // Another server that we would be sent to has no business with the token.
            var handler = new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false };
            return new HttpClient(handler)
            {
                Timeout = TimeSpan.FromSeconds(AnswerWithin),
                MaxResponseContentBufferSize = LongestAnswer,
            };
        }
    }
}
#endif
