//! All routes on one page.

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{MethodRouter, delete, get, post};

use super::api::create_channel::create_channel;
use super::api::dev::{dev, uncached};
use super::api::disconnect::disconnect;
use super::api::send_message::send_message;
use super::problem::Failure;
use super::{
    Gate, health, history, login, logout, metrics, pages, poll, post as posts, stream, topics,
    users, welcome, ws,
};
use crate::code::Problem;

/// The methods of a path, as `Allow` names them; `HEAD` only where `GET` changes nothing.
type Allow = &'static str;
const READ: Allow = "GET, HEAD";
const OPEN: Allow = "GET";
const WRITE: Allow = "POST";
const BOTH: Allow = "GET, POST";
const ADD: Allow = "GET, HEAD, POST";
const REMOVE: Allow = "DELETE";
const KEEP: Allow = "GET, HEAD, DELETE";

/// The service that answers every request. A slash at the end is the same address.
pub fn router(gate: Arc<Gate>) -> Router {
    let mut router = Router::new();
    router = both(router, "/login", BOTH, || get(login::login).post(login::login));
    router = both(router, "/logout", WRITE, || post(logout::logout));
    router = verb(router, "/post", WRITE, || post(posts::post));
    router = verb(router, "/ws", OPEN, || get(ws::ws));
    router = verb(router, "/sse", OPEN, || get(stream::sse));
    router = verb(router, "/stream", OPEN, || get(stream::stream));
    router = verb(router, "/poll", OPEN, || get(poll::poll));
    router = verb(router, "/users", READ, || get(users::users));
    router = verb(router, "/history", KEEP, || get(history::history).delete(history::forget));
    router = both(router, "/topics", ADD, || get(topics::list).post(topics::add));
    router = both(router, "/topics/{id}", REMOVE, || delete(topics::remove));
    router = both(router, "/topic_stream", OPEN, || get(topics::topic_stream));
    router = both(router, "/api/create_channel", WRITE, || post(create_channel));
    router = both(router, "/api/send_message", WRITE, || post(send_message));
    router = both(router, "/api/disconnect", WRITE, || post(disconnect));
    let dev = || only(OPEN, get(dev)).layer(map_response(uncached));
    router = router.route("/_ah/channel/dev", dev()).route("/_ah/channel/dev/", dev());
    router = both(router, "/healthz", READ, || get(health::healthz));
    router = both(router, "/readyz", READ, || get(health::readyz));
    router = both(router, "/problems", READ, || get(health::problems));
    if gate.config.admin.bind.is_none() {
        router = both(router, "/metrics", READ, || get(metrics::metrics));
    }
    router = both(router, "/camera", READ, || get(pages::camera));
    router = both(router, "/camera/{scene}", READ, || get(pages::camera));
    router = both(router, "/chat/{room}", READ, || get(pages::room));
    let files = pages::FILES.iter().map(|(path, file)| (*path, file));
    for (path, asset) in files.chain(pages::SCRIPTS) {
        router = both(router, path, READ, || pages::methods(asset));
    }
    router = both(router, "/board", READ, || get(pages::board::board));
    finish(router.route("/", only(READ, get(welcome::welcome))), gate)
}

/// The service of the admin listener.
pub fn admin_router(gate: Arc<Gate>) -> Router {
    let mut router = Router::new();
    router = both(router, "/healthz", READ, || get(health::healthz));
    router = both(router, "/readyz", READ, || get(health::readyz));
    router = both(router, "/metrics", READ, || get(metrics::admin_metrics));
    finish(router, gate)
}

/// What is said of all other paths.
fn finish(router: Routes, gate: Arc<Gate>) -> Router {
    router
        .fallback(async || Failure::new(Problem::NotFound, "there is nothing at this path"))
        .with_state(gate)
}

type Routes = Router<Arc<Gate>>;
type Methods = MethodRouter<Arc<Gate>>;

/// A path with and without a slash at its end.
fn both(router: Routes, path: &str, allow: Allow, methods: impl Fn() -> Methods) -> Routes {
    let slash = format!("{path}/");
    router.route(path, only(allow, methods())).route(&slash, only(allow, methods()))
}

/// A verb of a channel: alone for the root, or with the channel's name behind it.
fn verb(router: Routes, path: &str, allow: Allow, methods: impl Fn() -> Methods) -> Routes {
    let channels = format!("{path}/{{*channel}}");
    both(router, path, allow, &methods).route(&channels, only(allow, methods()))
}

/// `methods`, and 405 for every other one, whichever it is.
fn only(allow: Allow, methods: Methods) -> Methods {
    let refused = move || async move {
        let detail = "Allow names the methods of this path";
        Failure { allow: Some(allow), ..Failure::new(Problem::MethodNotAllowed, detail) }
    };
    let methods = methods.fallback(refused);
    // Without this `HEAD` would do what `GET` does: log in or empty an inbox, for nobody.
    if allow.contains("HEAD") { methods } else { methods.head(refused) }
}
