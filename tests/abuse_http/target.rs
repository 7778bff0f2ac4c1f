//! Methods and targets: what is for a proxy, what climbs out, what cannot be decoded.

use tokio::net::TcpListener;

use super::common::guarded;
use super::common::http::{Request, Response};
use super::scene::Scene;

const SECRET_LINE: &str = "X-Secret: do-not-repeat-this";

/// Sends a request line with `SECRET_LINE`, as the last request of its connection.
async fn ask(scene: &Scene, line: &str) -> Response {
    let headers = scene.headers();
    let bytes = format!("{line} HTTP/1.1\r\n{headers}{SECRET_LINE}\r\nConnection: close\r\n\r\n");
    let mut answers = scene.say(bytes.as_bytes()).await;
    assert_eq!(answers.len(), 1, "{line}: {answers:?}");
    answers.remove(0)
}

#[tokio::test]
async fn methods_that_are_for_others_are_refused_and_repeat_nothing() {
    let mut scene = Scene::new().await;
    for line in [
        "CONNECT other.test:80",
        "CONNECT /login",
        "TRACE /login",
        "TRACE /",
        "BREW /login",
        "get /login",
        "PROPFIND /",
        "OPTIONS *",
        "TRACE *",
        "GET *",
        "GET login",
        "GET other.test:80",
        "GET ?since=0",
        "GET //login",
        "GET /login/../users",
    ] {
        let answer = ask(&scene, line).await;
        assert!(matches!(answer.status, 400 | 404 | 405 | 501), "{line}: {answer:?}");
        assert!(!format!("{answer:?}").contains("do-not-repeat-this"), "{line}: {answer:?}");
        scene.is_undisturbed(line).await;
    }
}

/// RFC 9112 section 3.2.2 has servers take a target in absolute form. This one does not, whatever
/// host it names: nobody who speaks to a gateway needs it, and what reads it as a path reads
/// something else than the proxy that let it pass.
#[tokio::test]
async fn a_target_in_absolute_form_is_refused_and_nothing_is_asked_for_elsewhere() {
    let mut scene = Scene::new().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = elsewhere.local_addr().unwrap();
    for target in [
        format!("http://{other}/"),
        format!("http://{other}/login"),
        format!("http://{}/healthz", scene.node.address()),
        "https://other.test/healthz".to_owned(),
        "http:///healthz".to_owned(),
        "ftp://other.test/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\n{}\r\n", scene.headers());
        let answer = scene.refused(&target, bytes.as_bytes(), &[400]).await;
        assert!(!format!("{answer:?}").contains("passwd"), "{answer:?}");
    }
    let nobody = tokio::time::timeout(super::common::QUIET, elsewhere.accept()).await;
    assert!(nobody.is_err(), "somebody was asked on our behalf");
}

#[tokio::test]
async fn paths_that_climb_lead_nowhere() {
    let mut scene = Scene::new().await;
    for path in [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%252e%252e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/.%2e/Cargo.toml",
        "/..\\..\\config.toml",
        "/history/../../etc/passwd",
        "/history/%2e%2e/etc",
        "/history/%2E%2E",
        "/history/%252e%252e",
        "/history/a/..",
        "/history/a%2f..%2fb",
        "/history/./a",
        "/history/a%5c..",
        "/history/%00",
        "/history/a%00",
        "/history/%zz",
        "/history/%",
        "/history/%ff",
        "/history/%c0%ae%c0%ae",
        "/history/%ed%a0%80",
    ] {
        let answer = ask(&scene, &format!("GET {path}")).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        let problem = answer.any_problem(answer.status).to_string();
        assert!(!problem.contains("etc") && !problem.contains("root:"), "{path}: {problem}");
        let posted = ask(&scene, &format!("POST /post{}", path.replace("/history", ""))).await;
        assert!(matches!(posted.status, 400 | 404), "{path}: {posted:?}");
    }
    scene.is_undisturbed("paths that climb").await;
}

#[tokio::test]
async fn queries_and_forms_that_cannot_be_decoded_are_no_error_of_ours() {
    let mut scene = Scene::new().await;
    for text in ["%00", "%zz", "%", "%f", "%ff", "%c3%28", "%ed%a0%80", "a%0d%0ab", "%u0041"] {
        for name in ["since", "before", "limit", "token", "client_id", "name", "users", text] {
            for verb in ["history", "users", "login", "poll", "sse", "stream"] {
                let target = format!("/{verb}?wait=0&{name}={text}");
                let mut connection =
                    Request::get(&target).bearer(&scene.alice.token).begin(&scene.node).await;
                let head = guarded("a head", connection.head()).await.unwrap();
                assert!(matches!(head.status, 200..500), "{target}: {head:?}");
            }
            let form = Request::post("/post").bearer(&scene.alice.token);
            let form = form
                .body("application/x-www-form-urlencoded", format!("value=&{name}={text}"))
                .send(&scene.node)
                .await;
            form.any_problem(form.status);
            assert!(form.status < 500, "{name}={text}: {form:?}");
        }
    }
    for text in ["%zz", "%", "%u0041"] {
        let form = Request::post("/post").bearer(&scene.alice.token);
        let form = form.body("application/x-www-form-urlencoded", format!("value={text}"));
        form.send(&scene.node).await.ok();
        assert_eq!(scene.hears().await, text, "a percent sign that encodes nothing is itself");
    }
    for line in [&b"GET /history/\xff HTTP/1.1\r\n"[..], b"GET /history?x=\xff HTTP/1.1\r\n"] {
        let bytes = [line, scene.headers().as_bytes(), b"\r\n"].concat();
        scene.refused("bytes that are no UTF-8", &bytes, &[400]).await;
    }
    scene.is_undisturbed("what cannot be decoded").await;
}
