//! Which verb a path is for, as the metrics name it.

use std::borrow::Cow;

use crate::metrics::Label;

/// A verb, whatever channel stands behind it. What leads nowhere is [`Route::Other`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `/`.
    Welcome,
    /// `/login`.
    Login,
    /// `/logout`.
    Logout,
    /// `/post` and `/post/{channel}`.
    Post,
    /// `/ws` and `/ws/{channel}`.
    Ws,
    /// `/sse` and `/sse/{channel}`, and `/topic_stream`, which is one of these.
    Sse,
    /// `/stream` and `/stream/{channel}`.
    Stream,
    /// `/poll` and `/poll/{channel}`.
    Poll,
    /// `/users` and `/users/{channel}`.
    Users,
    /// `/history` and `/history/{channel}`.
    History,
    /// `/topics` and `/topics/{id}`.
    Topics,
    /// What stands below `/api`.
    Api,
    /// What stands below `/_ah`, where clients of the Channel API look.
    ChannelApi,
    /// What browsers load: scripts and pages.
    Pages,
    /// `/healthz`.
    Healthz,
    /// `/readyz`.
    Readyz,
    /// `/problems`.
    Problems,
    /// `/metrics`.
    Metrics,
    /// Any other path.
    Other,
}

/// Addresses of pages and scripts beside those below `/pages`.
const PAGES: [&str; 7] =
    ["/pushgate.js", "/widget.js", "/widget", "/talkgadget", "/camera", "/chat", "/board"];

impl Route {
    /// The verb that `path` begins with.
    pub fn of(path: &str) -> Self {
        let slash = path.get(1..).and_then(|rest| rest.find('/'));
        let verb = match slash {
            None => path,
            Some(0) => return Self::Other,
            Some(at) => path.get(..=at).unwrap_or_default(),
        };
        if PAGES.contains(&verb) {
            return Self::Pages;
        }
        if verb == "/topic_stream" {
            return Self::Sse;
        }
        Self::ALL.iter().find(|route| route.path() == verb).copied().unwrap_or(Self::Other)
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Welcome => "/",
            Self::Login => "/login",
            Self::Logout => "/logout",
            Self::Post => "/post",
            Self::Ws => "/ws",
            Self::Sse => "/sse",
            Self::Stream => "/stream",
            Self::Poll => "/poll",
            Self::Users => "/users",
            Self::History => "/history",
            Self::Topics => "/topics",
            Self::Api => "/api",
            Self::ChannelApi => "/_ah",
            Self::Pages => "/pages",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Problems => "/problems",
            Self::Metrics => "/metrics",
            Self::Other => "other",
        }
    }
}

impl Label for Route {
    const ALL: &'static [Self] = &[
        // What comes most often is found first.
        Self::Post,
        Self::Poll,
        Self::Login,
        Self::Ws,
        Self::Sse,
        Self::Stream,
        Self::Users,
        Self::History,
        Self::Topics,
        Self::Logout,
        Self::Api,
        Self::ChannelApi,
        Self::Welcome,
        Self::Pages,
        Self::Healthz,
        Self::Readyz,
        Self::Problems,
        Self::Metrics,
        Self::Other,
    ];

    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_no_part_of_a_route() {
        let cases = [
            ("/", Route::Welcome),
            ("/login", Route::Login),
            ("/login/", Route::Login),
            ("/ws/team/news", Route::Ws),
            ("/post/login", Route::Post),
            ("/api/disconnect", Route::Api),
            ("/_ah/channel/jsapi", Route::ChannelApi),
            ("/pushgate.js", Route::Pages),
            ("/widget/", Route::Pages),
            ("/camera", Route::Pages),
            ("/chat/lobby/", Route::Pages),
            ("/ws/chat/lobby", Route::Ws),
            ("/board", Route::Pages),
            ("/topics/7", Route::Topics),
            ("/topic_stream/", Route::Sse),
            ("/pages/demo.js", Route::Pages),
            ("/_ah/channel/dev", Route::ChannelApi),
            ("/nowhere", Route::Other),
            ("/loginn", Route::Other),
            ("//login", Route::Other),
            ("/other", Route::Other),
            ("*", Route::Other),
        ];
        for (path, route) in cases {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
