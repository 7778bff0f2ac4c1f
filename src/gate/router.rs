//! All routes on one page.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use super::problem::Failure;
use super::{
    Gate, health, history, login, logout, metrics, poll, post as posts, stream, users, welcome, ws,
};
use crate::code::Problem;

/// The service that answers every request. A slash at the end is the same address.
pub fn router(gate: Arc<Gate>) -> Router {
    let mut router = Router::new();
    router = both(router, "/login", || get(login::login).post(login::login).head(no_head));
    router = both(router, "/logout", || post(logout::logout));
    router = verb(router, "/post", || post(posts::post));
    router = verb(router, "/ws", || get(ws::ws).head(no_head));
    router = verb(router, "/sse", || get(stream::sse).head(no_head));
    router = verb(router, "/stream", || get(stream::stream).head(no_head));
    router = verb(router, "/poll", || get(poll::poll).head(no_head));
    router = verb(router, "/users", || get(users::users));
    router = verb(router, "/history", || get(history::history));
    router = both(router, "/healthz", || get(health::healthz));
    router = both(router, "/readyz", || get(health::readyz));
    router = both(router, "/problems", || get(health::problems));
    if gate.config.admin.bind.is_none() {
        router = both(router, "/metrics", || get(metrics::metrics));
    }
    finish(router.route("/", get(welcome::welcome)), gate)
}

/// The service of the admin listener.
pub fn admin_router(gate: Arc<Gate>) -> Router {
    let mut router = Router::new();
    router = both(router, "/healthz", || get(health::healthz));
    router = both(router, "/readyz", || get(health::readyz));
    router = both(router, "/metrics", || get(metrics::admin_metrics));
    finish(router, gate)
}

/// What is said of all other paths and methods.
fn finish(router: Routes, gate: Arc<Gate>) -> Router {
    router
        .fallback(async || Failure::new(Problem::NotFound, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Failure::new(Problem::MethodNotAllowed, "Allow names the methods of this path")
        })
        .with_state(gate)
}

/// `HEAD` of a verb that does something: it would log in or empty an inbox for nobody.
async fn no_head() -> Failure {
    let detail = "HEAD would do what GET does and show nothing of it";
    Failure { allow: Some("GET"), ..Failure::new(Problem::MethodNotAllowed, detail) }
}

type Routes = Router<Arc<Gate>>;

/// A path with and without a slash at its end.
fn both(router: Routes, path: &str, method: impl Fn() -> MethodRouter<Arc<Gate>>) -> Routes {
    router.route(path, method()).route(&format!("{path}/"), method())
}

/// A verb of a channel: alone for the root, or with the channel's name behind it.
fn verb(router: Routes, path: &str, method: impl Fn() -> MethodRouter<Arc<Gate>>) -> Routes {
    both(router, path, &method).route(&format!("{path}/{{*channel}}"), method())
}
