//! Handshakes that are none, and those that carry more than they need.

use super::common::http::{Connection, Request};
use super::common::ws::{KEY, RawSocket, TEXT, frame, upgrade};
use super::scene::Scene;

/// A request with these header lines beside `Host`.
fn request(line: &str, lines: &[&str]) -> Vec<u8> {
    format!("{line}\r\nHost: localhost\r\n{}\r\n", lines.concat()).into_bytes()
}

const CONNECTION: &str = "Connection: Upgrade\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

#[tokio::test]
async fn what_is_no_handshake_is_answered_as_such() {
    let mut scene = Scene::new().await;
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let target = scene.target();
    let get = format!("GET {target} HTTP/1.1");
    let whole = [CONNECTION, UPGRADE, VERSION, &key];
    let without = |left_out: usize, instead: &'static str| {
        let mut lines = whole.to_vec();
        lines[left_out] = instead;
        request(&get, &lines)
    };
    for (what, bytes, statuses) in [
        ("HTTP/1.0", request(&format!("GET {target} HTTP/1.0"), &whole), &[400, 426][..]),
        ("POST", request(&format!("POST {target} HTTP/1.1"), &whole), &[405]),
        ("PUT", request(&format!("PUT {target} HTTP/1.1"), &whole), &[405]),
        ("no Connection", without(0, ""), &[400, 426]),
        ("Connection: close", without(0, "Connection: close\r\n"), &[400, 426]),
        ("no Upgrade", without(1, ""), &[400, 426]),
        ("Upgrade: h2c", without(1, "Upgrade: h2c\r\n"), &[400, 426]),
        ("Upgrade: websocketx", without(1, "Upgrade: websocketx\r\n"), &[400, 426]),
        ("no version", without(2, ""), &[426]),
        ("version 13, 8", without(2, "Sec-WebSocket-Version: 13, 8\r\n"), &[426]),
        ("version 013", without(2, "Sec-WebSocket-Version: 013\r\n"), &[426]),
        ("no key", without(3, ""), &[400]),
        ("a key of 15 bytes", without(3, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n"), &[400]),
        ("a key of 17", without(3, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n"), &[400]),
        (
            "a key without padding",
            without(3, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA\r\n"),
            &[400],
        ),
        ("a body", request(&get, &[&whole.concat(), "Content-Length: 3\r\n"]), &[400, 426]),
    ] {
        let mut connection = Connection::open(scene.node.address()).await;
        connection.write(&bytes).await;
        let answer = connection.response().await;
        assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
        let version = (answer.status == 426).then_some("13");
        assert_eq!(answer.header("sec-websocket-version"), version, "{what}");
    }
    scene.is_well("what is no handshake").await;
}

#[tokio::test]
async fn junk_in_extensions_and_protocols_is_answered_at_once() {
    let mut scene = Scene::new().await;
    let before = scene.cpu_seconds();
    for junk in [
        "a".repeat(15_000),
        ",".repeat(15_000),
        " ".repeat(15_000) + "x",
        "a; b=\"".to_owned() + &"\\\"".repeat(7000),
        "permessage-deflate; ".repeat(700),
        "x-a;b=c,".repeat(1800),
        format!("a{}", " \t".repeat(7000)) + "b",
        "\u{e9}\u{ff}".repeat(3000),
    ] {
        for name in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
            let request = upgrade(&scene.target()).header(name, &junk);
            let mut connection = request.begin(&scene.node).await;
            let answer = super::common::guarded("an answer", connection.head()).await.unwrap();
            let what = format!("{name} of {:?}…", &junk[..10]);
            assert!(matches!(answer.status, 101 | 400 | 431), "{what}: {answer:?}");
            assert_eq!(answer.header("sec-websocket-extensions"), None, "{what}");
        }
    }
    assert!(scene.cpu_seconds() - before < 2.0, "no time is lost on junk");
    let too_much = upgrade(&scene.target()).header("Sec-WebSocket-Extensions", &"a".repeat(32_000));
    too_much.send(&scene.node).await.problem(431, "headers-too-large");
    scene.is_well("junk").await;
}

#[tokio::test]
async fn compression_is_never_agreed_to() {
    let mut scene = Scene::new().await;
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=99; client_no_context_takeover",
        "x-webkit-deflate-frame, permessage-bzip2",
    ] {
        let request = upgrade(&scene.target()).header("Sec-WebSocket-Extensions", offer);
        let mut socket = RawSocket::upgraded(request.begin(&scene.node).await).await;
        assert_eq!(socket.answer.header("sec-websocket-extensions"), None, "{offer}");
        socket.write(&frame(TEXT, b"{\"value\":\"as it is\"}")).await;
        assert!(socket.next().await.unwrap().text().contains("as it is"), "{offer}");
    }
    scene.is_well("offers").await;
}

#[tokio::test]
async fn an_upgrade_over_http_1_0_does_not_leave_the_connection_open() {
    let scene = Scene::new().await;
    let lines = [CONNECTION, UPGRADE, VERSION, &format!("Sec-WebSocket-Key: {KEY}\r\n")];
    let mut connection = Connection::open(scene.node.address()).await;
    let bytes = request(&format!("GET {} HTTP/1.0", scene.target()), &lines);
    connection.write(&[bytes, frame(TEXT, b"{\"value\":\"unheard\"}")].concat()).await;
    assert!(connection.ends().await);
    let history = Request::get(&format!("/history/apart?{}", scene.alice.query("since=0")));
    let history = history.send(&scene.node).await.ok();
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(0));
}
