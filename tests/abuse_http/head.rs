//! Heads: what is no HTTP, lines that are none, and heads without end.

use futures_util::future::join_all;

use super::common::http::Request;
use super::scene::Scene;

/// Some bytes of no meaning, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn what_is_no_http_is_refused_or_closed_within_the_deadline_of_a_head() {
    let mut scene = Scene::with_config("[limits]\nheader_seconds = 2").await;
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let said = [
        [tls.clone(), noise(500)].concat(),
        tls,
        noise(600),
        noise(100_000),
        b"\x00".to_vec(),
        b"\x01\x02\x03 noise\r\n\r\n".to_vec(),
        b"GET /\r\n".to_vec(),
        b"GET /\r\n\r\n".to_vec(),
        b"GET / HTTP/0.9\r\n\r\n".to_vec(),
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_vec(),
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_vec(),
        b"GET / http/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all".to_vec(),
    ];
    for (said, answers) in said.iter().zip(join_all(said.iter().map(|said| scene.say(said))).await)
    {
        let what = String::from_utf8_lossy(&said[..said.len().min(40)]);
        assert!(answers.len() <= 1, "{what:?}: {answers:?}");
        for answer in answers {
            assert!(matches!(answer.status, 400 | 408 | 431 | 505), "{what:?}: {answer:?}");
        }
    }
    scene.is_undisturbed("what is no HTTP").await;
}

#[tokio::test]
async fn lines_that_are_no_header_fields_are_400() {
    let mut scene = Scene::new().await;
    for (what, lines) in [
        ("no Host", &b""[..]),
        ("two Hosts", b"Host: a\r\nHost: b\r\n"),
        ("the same Host twice", b"Host: a\r\nHost: a\r\n"),
        ("a Host that is none", b"Host: a b\r\n"),
        ("a Host with a path", b"Host: a/../b\r\n"),
        ("no colon", b"Host: a\r\nno colon\r\n"),
        ("a space before the colon", b"Host: a\r\nX : b\r\n"),
        ("a space before Host", b" Host: a\r\n"),
        ("a folded line", b"Host: a\r\nX: b\r\n c\r\n"),
        ("NUL in a value", b"Host: a\r\nX: b\0c\r\n"),
        ("NUL in a name", b"Host: a\r\nX\0: b\r\n"),
        ("a bare CR in a value", b"Host: a\r\nX: b\rc\r\n"),
        ("a bare CR that ends a line", b"Host: a\r\nX: b\rY: c\r\n"),
        ("two CRs", b"Host: a\r\nX: b\r\r\n"),
        ("a control character in a name", b"Host: a\r\nX\x01: b\r\n"),
        ("a control character in a value", b"Host: a\r\nX: \x0b\r\n"),
        ("a name that is not ASCII", b"Host: a\r\nX\xc3\xa9: b\r\n"),
        ("a name of no characters", b"Host: a\r\n: b\r\n"),
        ("DEL in a value", b"Host: a\r\nX: b\x7f\r\n"),
    ] {
        let bytes = [b"GET /healthz HTTP/1.1\r\n", lines, b"\r\n"].concat();
        let answer = scene.refused(what, &bytes, &[400]).await;
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
    }
}

#[tokio::test]
async fn heads_over_their_limits_are_refused_and_cost_little() {
    let mut scene = Scene::new().await;
    let before = scene.cpu_seconds();
    let host = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
    let many = |count: usize| {
        (0..count).map(|number| format!("X-{number}: a\r\n")).collect::<Vec<_>>().concat()
    };
    let long = |length: usize| "a".repeat(length);
    for (what, bytes, statuses) in [
        ("17 KiB in one", format!("{host}X: {}\r\n\r\n", long(17_000)), &[431][..]),
        ("17 KiB in a name", format!("{host}{}: x\r\n\r\n", long(17_000)), &[431]),
        ("60 KiB", format!("{host}X: {}\r\n\r\n", long(60_000)), &[431]),
        ("5,000 lines", format!("{host}{}\r\n", many(5000)), &[400, 431]),
        ("a line without end", format!("{host}X: {}", long(2_000_000)), &[400, 431]),
        ("lines without end", format!("{host}{}", "X: a\r\n".repeat(300_000)), &[400, 431]),
        ("a method without end", long(200_000), &[400, 431]),
    ] {
        scene.refused(what, bytes.as_bytes(), statuses).await;
    }
    let spent = scene.cpu_seconds() - before;
    assert!(spent < 1.0, "{spent} s of CPU");
}

#[tokio::test]
async fn heads_may_be_as_long_as_the_configuration_says() {
    let config = "[limits]\nheader_bytes = 1048576\ntarget_bytes = 65534";
    let mut scene = Scene::with_config(config).await;
    let target = format!("/healthz?{}", "a".repeat(65_000));
    let fields = |count| {
        (0..count).fold(Request::get(&target), |request, number| {
            request.header(&format!("X-{number}"), &"a".repeat(20_000))
        })
    };
    for (count, status) in [(10, 200), (52, 200), (53, 431)] {
        let answer = fields(count).send(&scene.node).await;
        assert_eq!(answer.status, status, "{count} fields of 20,000 bytes");
        if status == 431 {
            answer.problem(431, "headers-too-large");
        }
    }
    scene.is_undisturbed("long heads").await;
}

#[tokio::test]
async fn targets_over_their_limit_are_414() {
    let mut scene = Scene::new().await;
    for (length, statuses) in
        [(8193, &[414][..]), (60_000, &[414]), (70_000, &[414, 431]), (1_000_000, &[414, 431])]
    {
        for lead in ["/healthz?", "/history/"] {
            let target = format!("{lead}{}", "a".repeat(length - lead.len()));
            let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let answer = scene.refused("a long target", bytes.as_bytes(), statuses).await;
            if answer.status == 414 {
                let problem = answer.problem(414, "target-too-long");
                assert!(problem["detail"].as_str().unwrap().contains("8192"), "{problem}");
            }
        }
    }
    let target = format!("/healthz?{}", "a".repeat(8192 - "/healthz?".len()));
    assert_eq!(Request::get(&target).send(&scene.node).await.status, 200, "exactly the limit");
}
