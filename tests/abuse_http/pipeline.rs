//! Many requests at a stroke on one connection.

use super::common::guarded;
use super::common::http::Connection;
use super::scene::Scene;

#[tokio::test]
async fn two_hundred_requests_at_a_stroke_get_two_hundred_answers_in_order() {
    let mut scene = Scene::new().await;
    let mut connection = Connection::open(scene.node.address()).await;
    let mut bytes = Vec::new();
    for number in 0..200_u32 {
        // Every other one is a post, whose answer tells which it is.
        let request = if number % 2 == 0 {
            let body = format!("value={number}");
            scene.post(&format!("Content-Length: {}\r\n", body.len()), body.as_bytes())
        } else {
            format!("GET /history/{number}?since=0 HTTP/1.1\r\n{}\r\n", scene.headers()).into()
        };
        bytes.extend(request);
    }
    connection.write(&bytes).await;
    for number in 0..200_u32 {
        let answer = guarded("an answer", connection.try_response()).await.unwrap().ok();
        if number % 2 == 0 {
            assert_eq!(answer["message"]["value"], number.to_string());
            assert_eq!(scene.hears().await, number.to_string());
        } else {
            assert_eq!(answer["more"], false, "{answer}");
        }
    }
    scene.is_undisturbed("two hundred at a stroke").await;
}

#[tokio::test]
async fn a_request_behind_connection_close_is_ignored() {
    let mut scene = Scene::new().await;
    for close in ["close", "Close", "keep-alive, close", "x, close"] {
        let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: {close}\r\n\r\n");
        scene.refused(close, head.as_bytes(), &[200]).await;
    }
    let old = "GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n";
    scene.refused("HTTP/1.0", old.as_bytes(), &[200]).await;
}

#[tokio::test]
async fn a_thousand_requests_whose_answers_nobody_reads_hold_up_nobody_else() {
    let mut scene = Scene::new().await;
    scene.node.post(&scene.alice, &"x".repeat(30_000)).await;
    scene.hears().await;
    let history = format!("GET /history?since=0 HTTP/1.1\r\n{}\r\n", scene.headers());
    let mut connections = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open_narrow(scene.node.address()).await;
        connection.write(history.repeat(50).as_bytes()).await;
        connections.push(connection);
    }
    scene.is_undisturbed("answers that nobody reads").await;
    drop(connections);
    scene.is_undisturbed("readers that are gone").await;
}
