//! Bodies in chunks that are none.

use futures_util::future::join_all;

use super::common::http::Connection;
use super::scene::Scene;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[tokio::test]
async fn chunks_that_are_none_are_refused() {
    let mut scene = Scene::new().await;
    let extension = [b"a;x=".as_slice(), &b"a".repeat(1024 * 1024), b"\r\nvalue=once\r\n"].concat();
    let many_extensions = b"1;x=aaaaaaaaaaaaaaaa\r\na\r\n".repeat(20_000);
    let trailers: Vec<String> = (0..20_000).map(|number| format!("X-{number}: a\r\n")).collect();
    let trailers = format!("a\r\nvalue=once\r\n0\r\n{}\r\n", trailers.concat());
    let long_trailer = format!("a\r\nvalue=once\r\n0\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    let much = [b"100000\r\n".as_slice(), &b"a".repeat(0x10_0000), b"\r\n10\r\n"].concat();
    for (what, body) in [
        ("a size beyond 64 bits", &b"10000000000000000\r\nvalue=once\r\n0\r\n\r\n"[..]),
        ("a size that wraps around", b"1000000000000000a\r\nvalue=once\r\n0\r\n\r\n"),
        ("a size without end", &b"f".repeat(100_000)),
        ("a size that is not hexadecimal", b"xyz\r\nvalue=once\r\n0\r\n\r\n"),
        ("no size", b"\r\nvalue=once\r\n0\r\n\r\n"),
        ("a negative size", b"-a\r\nvalue=once\r\n0\r\n\r\n"),
        ("a size with a sign", b"+a\r\nvalue=once\r\n0\r\n\r\n"),
        ("0x before a size", b"0xa\r\nvalue=once\r\n0\r\n\r\n"),
        ("a size in two parts", b"0 a\r\nvalue=once\r\n0\r\n\r\n"),
        ("no CRLF behind the data", b"a\r\nvalue=once0\r\n\r\n"),
        ("data longer than its size", b"5\r\nvalue=once\r\n0\r\n\r\n"),
        ("LF alone", b"a\nvalue=once\n0\n\n"),
        ("CR alone behind a size", b"a\rvalue=once\r\n0\r\n\r\n"),
        ("LF in an extension", b"a;x\nvalue=once\r\n0\r\n\r\n"),
        ("an extension of 1 MiB", &extension),
        ("20,000 extensions", &many_extensions),
        ("20,000 trailers", trailers.as_bytes()),
        ("a trailer of 100 KB", long_trailer.as_bytes()),
        ("a trailer that is none", b"a\r\nvalue=once\r\n0\r\nno colon\r\n\r\n"),
        ("more than a body may have", &much),
    ] {
        let bytes = scene.post(CHUNKED, body);
        scene.refused(what, &bytes, &[400, 413, 431]).await;
    }
}

#[tokio::test]
async fn a_chunk_that_never_comes_is_not_waited_for_for_ever() {
    let mut scene = Scene::with_config("[limits]\nbody_seconds = 1").await;
    let bodies = [&b"ffffffffffffffff\r\nvalue=once"[..], b"a\r\nvalue", b"a", b"0\r\nX: a", b""];
    let requests = bodies.map(|body| scene.post(CHUNKED, body));
    let answers = join_all(requests.iter().map(|request| scene.say(request))).await;
    for (body, answers) in bodies.iter().zip(answers) {
        let what = String::from_utf8_lossy(body);
        assert!(answers.len() <= 1, "{what:?}: {answers:?}");
        for answer in answers {
            assert!(matches!(answer.status, 400 | 408 | 413), "{what:?}: {answer:?}");
        }
    }
    scene.is_undisturbed("chunks that never come").await;
}

#[tokio::test]
async fn a_trailer_is_no_header() {
    let mut scene = Scene::new().await;
    let trailers = "Content-Length: 5\r\nHost: b\r\nAuthorization: Bearer x\r\nIdempotency-Key: k";
    for value in ["one", "two"] {
        let body = format!("9\r\nvalue={value}\r\n0\r\n{trailers}\r\n\r\n");
        let mut connection = Connection::open(scene.node.address()).await;
        connection.write(&scene.post(CHUNKED, body.as_bytes())).await;
        connection.response().await.ok();
        assert_eq!(scene.hears().await, value, "no key was taken from the trailers");
    }
    scene.is_undisturbed("trailers").await;
}
