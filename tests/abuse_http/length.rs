//! `Content-Length` and `Transfer-Encoding`: how long a body is, said wrongly or twice.

use super::common::http::Connection;
use super::common::{guarded, value_of};
use super::scene::Scene;

const BODY: &[u8] = b"value=once";
const CHUNKS: &[u8] = b"a\r\nvalue=once\r\n0\r\n\r\n";

#[tokio::test]
async fn a_length_that_is_none_is_400() {
    let mut scene = Scene::new().await;
    for lines in [
        "Content-Length: 10\r\nContent-Length: 10\r\n",
        "Content-Length: 10\r\nX: y\r\ncontent-length: 010\r\n",
        "Content-Length: 10\r\nContent-Length: 11\r\n",
        "Content-Length: 11\r\nX: y\r\nContent-Length: 10\r\n",
        "Content-Length: 10, 10\r\n",
        "Content-Length: 10, 11\r\n",
        "Content-Length: +10\r\n",
        "Content-Length: -10\r\n",
        "Content-Length: 0x0a\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: 10.0\r\n",
        "Content-Length: 1 0\r\n",
        "Content-Length: ten\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ] {
        let bytes = scene.post(lines, BODY);
        scene.refused(lines.trim(), &bytes, &[400]).await;
    }
}

#[tokio::test]
async fn a_length_said_twice_is_400_where_the_head_comes_in_pieces_too() {
    let mut scene = Scene::new().await;
    for lines in [
        "Content-Length: 10\r\nX: y\r\nContent-Length: 10\r\n",
        "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let head = scene.post(lines, b"");
        // The first name alone, half of the second one, all but the last line.
        let cuts = [lines.len() + 2, 10, 2].map(|behind| head.len() - behind);
        for cut in cuts {
            let mut connection = Connection::open(scene.node.address()).await;
            // One behind an answer begins anew.
            let health = format!("GET /healthz HTTP/1.1\r\n{}\r\n", scene.headers());
            connection.write(health.as_bytes()).await;
            assert_eq!(connection.response().await.status, 200);
            connection.write(&head[..cut]).await;
            // Mostly they are two reads then; where they are one, the answer must be the same.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            connection.write(&head[cut..]).await;
            connection.response().await.problem(400, "bad-request");
            assert!(connection.ends().await);
        }
        scene.is_undisturbed(lines.trim()).await;
    }
}

#[tokio::test]
async fn a_length_over_the_limit_is_413_before_the_body_and_without_a_100() {
    let mut scene = Scene::new().await;
    for length in ["1048577", "10737418240", "9223372036854775808", "18446744073709551613"] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let lines = format!("Content-Length: {length}\r\n{expect}");
            // The head alone: nothing of the body is waited for.
            let mut connection = Connection::open(scene.node.address()).await;
            connection.write(&scene.post(&lines, b"")).await;
            let answer = connection.response().await;
            let problem = answer.problem(413, "too-large");
            assert!(problem["detail"].as_str().unwrap().contains("1048576"), "{problem}");
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(connection.ends().await);
            scene.is_undisturbed(&lines).await;
        }
    }
    // Also where no body is wanted.
    let head = format!("GET /healthz HTTP/1.1\r\n{}", scene.headers());
    let bytes = format!("{head}Content-Length: 10737418240\r\nExpect: 100-continue\r\n\r\n");
    scene.refused("a body for GET", bytes.as_bytes(), &[413, 417]).await;
}

#[tokio::test]
async fn a_body_that_is_wanted_is_asked_for() {
    let mut scene = Scene::new().await;
    let mut connection = Connection::open(scene.node.address()).await;
    let lines = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", BODY.len());
    connection.write(&scene.post(&lines, b"")).await;
    assert_eq!(connection.response().await.status, 100);
    connection.write(BODY).await;
    assert_eq!(value_of(&connection.response().await.ok()), "once");
    assert_eq!(scene.hears().await, "once");
    scene.is_undisturbed("an expectation").await;
}

#[tokio::test]
async fn a_coding_that_is_not_chunked_alone_is_400_or_501() {
    let mut scene = Scene::new().await;
    for lines in [
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: \x0cchunked\r\n",
        "Transfer-Encoding: chunked\x0b\r\n",
        "Transfer-Encoding: , chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    ] {
        let bytes = scene.post(lines, CHUNKS);
        scene.refused(lines.trim(), &bytes, &[400, 501]).await;
    }
    let bytes = scene.post("Transfer-Encoding: chunked\r\n", CHUNKS);
    let old = String::from_utf8(bytes).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    scene.refused("chunked in HTTP/1.0", old.as_bytes(), &[400, 501]).await;
}

#[tokio::test]
async fn a_length_beside_chunked_hides_no_second_request() {
    let mut scene = Scene::new().await;
    // Whoever believed the length would take what follows for a request of its own.
    let hidden = scene.post("Content-Length: 12\r\n", b"value=hidden");
    let with_hidden = [b"0\r\n\r\n".as_slice(), &hidden].concat();
    for (lines, body) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", &with_hidden),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &with_hidden),
        ("Content-Length: 999\r\nTransfer-Encoding: chunked\r\n", &with_hidden),
        ("Transfer-Encoding: chunked\r\nContent-Length: -5\r\n", &with_hidden),
    ] {
        let bytes = scene.post(lines, body);
        // An empty body has no value: 400 where the chunks were read, too.
        scene.refused(lines.trim(), &bytes, &[400, 501]).await;
    }
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        scene.refused(lines.trim(), &scene.post(lines, CHUNKS), &[400, 501]).await;
        // Behind another request in one stroke the chunks alone may count: then nothing behind them is
        // answered.
        let before = scene.post(&format!("Content-Length: {}\r\n", BODY.len()), BODY);
        let bytes = [before, scene.post(lines, CHUNKS), hidden.clone()].concat();
        for pieces in [7, bytes.len()] {
            let mut connection = Connection::open(scene.node.address()).await;
            for piece in bytes.chunks(pieces) {
                connection.write(piece).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(value_of(&connection.response().await.ok()), "once");
            assert_eq!(scene.hears().await, "once");
            match connection.response().await.status {
                200 => assert_eq!(scene.hears().await, "once"),
                status => assert!(matches!(status, 400 | 501), "{lines:?}: {status}"),
            }
            assert!(connection.try_response().await.is_none());
        }
        scene.is_undisturbed(lines.trim()).await;
    }
}

#[tokio::test]
async fn a_body_that_ends_before_its_length_is_no_post() {
    let mut scene = Scene::new().await;
    for lines in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut connection = Connection::open(scene.node.address()).await;
        connection.write(&scene.post(lines, b"3e8\r\nvalue=cut")).await;
        let (mut stream, _) = connection.into_parts();
        guarded("the end of what is said", tokio::io::AsyncWriteExt::shutdown(&mut stream))
            .await
            .unwrap();
        let mut heard = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard);
        let _ = guarded("the end", reading).await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400 "), "{heard:?}");
        scene.is_undisturbed("a body that was cut").await;
    }
}
