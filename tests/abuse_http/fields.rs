//! Bodies whose fields are too many, too deep, twice or of no type that is taken.

use std::fmt::Write;

use super::common::http::{Request, Response};
use super::scene::Scene;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=edge";

async fn post(scene: &Scene, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
    let request = Request::post("/post").bearer(&scene.alice.token).body(media_type, body);
    request.send(&scene.node).await
}

fn many(count: usize, line: impl Fn(&mut String, usize)) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        line(&mut text, number);
        text
    })
}

#[tokio::test]
async fn more_fields_than_any_verb_has_are_refused() {
    let mut scene = Scene::new().await;
    let form = |count| many(count, |text, number| write!(text, "f{number}=1&").unwrap());
    let json = |count| many(count, |text, number| write!(text, "\"f{number}\":1,").unwrap());
    let part = |text: &mut String, name: &str, value: &str| {
        let about = format!("Content-Disposition: form-data; name=\"{name}\"");
        write!(text, "--edge\r\n{about}\r\n\r\n{value}\r\n").unwrap();
    };
    let parts = |count| {
        let mut text = many(count, |text, number| part(text, &format!("f{number}"), "1"));
        part(&mut text, "value", "hi");
        text + "--edge--\r\n"
    };
    for (media_type, body) in [
        (FORM, form(100_000) + "value=hi"),
        (FORM, "&a".repeat(100_000)),
        (FORM, "value=hi&".repeat(100_000)),
        (JSON, format!("{{{}\"value\":\"hi\"}}", json(70_000))),
        (MULTIPART, parts(10_000)),
    ] {
        let answer = post(&scene, media_type, body).await;
        answer.problem(400, "bad-request");
        assert!(answer.body.len() < 1000, "it repeats nothing: {answer:?}");
        scene.is_undisturbed(media_type).await;
    }
    for (media_type, body) in [
        (FORM, form(999) + "value=hi"),
        (JSON, format!("{{{}\"value\":\"hi\"}}", json(999))),
        (MULTIPART, parts(999)),
        (FORM, "&".repeat(100_000) + "value=hi"),
    ] {
        post(&scene, media_type, body).await.ok();
        assert_eq!(scene.hears().await, "hi");
    }
    let query = format!("/users?{}", "a&".repeat(2000));
    Request::get(&query).bearer(&scene.alice.token).send(&scene.node).await.any_problem(400);
}

#[tokio::test]
async fn json_that_is_deep_huge_or_broken_is_refused() {
    let mut scene = Scene::new().await;
    let named = |value: &str| format!("{{\"value\":{value}}}").into_bytes();
    let open = "[".repeat(100_000);
    let closed = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = "{\"a\":".repeat(100_000);
    for body in [
        open.clone().into_bytes(),
        closed.clone().into_bytes(),
        objects.into_bytes(),
        named(&open),
        named(&closed),
        named("1e99999"),
        named("-1e99999"),
        named(&"9".repeat(100_000)),
        named("\"\\ud800\""),
        named("\"\\udc00\\ud800\""),
        named("\"\\u12\""),
        named("\"\u{1}\""),
        named("\"a\",\"value\":\"b\""),
        named("\"a\",\"val\\u0075e\":\"b\""),
        named("\"a\",\"x\":1,\"x\":2"),
        named("\"a\"} trailing {"),
        named("'a'"),
        named("\"a\",/**/\"x\":1"),
        named("\"a\","),
        named("NaN"),
        b"{\"value\":\"\xc3\x28\"}".to_vec(),
        b"\xef\xbb\xbf{\"value\":\"a\"}".to_vec(),
        "{\"value\":\"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect(),
        b"\"a-secret-that-is-not-repeated\"".to_vec(),
        b"[\"a-secret-that-is-not-repeated\"]".to_vec(),
        b"null".to_vec(),
        b"".to_vec(),
    ] {
        let what = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = post(&scene, JSON, body).await;
        // A value beyond its limit is that before it is anything else.
        assert!(matches!(answer.status, 400 | 413), "{what}: {answer:?}");
        answer.any_problem(answer.status);
        assert!(answer.body.len() < 1000, "{what}: {answer:?}");
        assert!(!answer.text().contains("a-secret"), "{what}: {answer:?}");
    }
    scene.is_undisturbed("broken JSON").await;
}

#[tokio::test]
async fn deep_and_huge_json_is_refused_where_json_is_what_a_channel_takes() {
    let mut scene = Scene::with_config("[channels.data]\nkind = \"json\"").await;
    for value in ["[".repeat(30_000), "1e99999".to_owned(), "\"\\ud800\"".to_owned()] {
        let request = Request::post("/post/data").bearer(&scene.alice.token);
        let answer = request.body(JSON, format!("{{\"value\":{value}}}")).send(&scene.node).await;
        answer.problem(400, "bad-request");
        let request = Request::post("/post/data").bearer(&scene.alice.token);
        request.form(&[("value", &value)]).send(&scene.node).await.problem(400, "bad-request");
    }
    scene.is_undisturbed("deep JSON").await;
}

#[tokio::test]
async fn a_field_twice_is_refused_whoever_would_read_the_first_or_the_last() {
    let mut scene = Scene::new().await;
    let token = &scene.alice.token.clone();
    for body in [
        "value=a&value=b".to_owned(),
        "value=a&value=a".to_owned(),
        "value=a&%76alue=b".to_owned(),
        "value=a&key=1&key=2".to_owned(),
        "value=a&to=x&to=y".to_owned(),
        format!("value=a&client_id={0}&client_id={0}", scene.alice.client_id),
    ] {
        post(&scene, FORM, body).await.problem(400, "bad-request");
    }
    let part = "--edge\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nhi\r\n";
    let answer = post(&scene, MULTIPART, format!("{part}{part}--edge--\r\n")).await;
    answer.names_field("value");
    let two_names = [("name", "a"), ("name", "b")];
    let login = Request::post("/login").form(&two_names).send(&scene.node).await;
    login.names_field("name");
    // The same token twice says one thing.
    let fields = [("value", "hi"), ("token", token), ("token", token)];
    Request::post("/post").form(&fields).send(&scene.node).await.ok();
    assert_eq!(scene.hears().await, "hi");
    scene.is_undisturbed("a field twice").await;
}

#[tokio::test]
async fn multipart_that_is_broken_is_refused() {
    let mut scene = Scene::new().await;
    let part = "Content-Disposition: form-data; name=\"value\"";
    for (media_type, body) in [
        (MULTIPART, format!("--edge\r\n{part}\r\n\r\nhi")),
        (MULTIPART, format!("--edge\r\n{part}\r\n\r\nhi\r\n--edge")),
        (MULTIPART, format!("--edge\r\n{part}\r\nhi\r\n--edge--\r\n")),
        (MULTIPART, format!("--other\r\n{part}\r\n\r\nhi\r\n--other--\r\n")),
        (MULTIPART, "--edge\r\n\r\nhi\r\n--edge--\r\n".to_owned()),
        (MULTIPART, "--edge--\r\n".to_owned()),
        (MULTIPART, String::new()),
        (MULTIPART, format!("--edge\r\n{}\r\n\r\nhi\r\n--edge--\r\n", "X: y\r\n".repeat(5000))),
        ("multipart/form-data", format!("--edge\r\n{part}\r\n\r\nhi\r\n--edge--\r\n")),
        ("multipart/form-data; boundary=", "--\r\n".to_owned()),
        ("multipart/mixed; boundary=edge", format!("--edge\r\n{part}\r\n\r\nhi\r\n--edge--\r\n")),
    ] {
        let answer = post(&scene, media_type, body.clone()).await;
        assert!(matches!(answer.status, 400 | 415), "{media_type} {body:.60}: {answer:?}");
        answer.any_problem(answer.status);
    }
    scene.is_undisturbed("broken multipart").await;
}

#[tokio::test]
async fn types_and_encodings_that_are_not_taken_are_415() {
    let mut scene = Scene::new().await;
    for media_type in ["text/plain", "text/plain; charset=utf-8", "", "x", "application/jsonx"] {
        let answer = post(&scene, media_type, "value=hi").await;
        answer.problem(415, "unsupported-media-type");
    }
    for coding in ["deflate", "gzip", "br", "identity, gzip", "x"] {
        let request = Request::post("/post").bearer(&scene.alice.token);
        let request = request.header("Content-Encoding", coding).body(FORM, "value=hi");
        request.send(&scene.node).await.problem(415, "unsupported-media-type");
    }
    scene.is_undisturbed("types that are not taken").await;
    // 100 MB that would unpack to much more: the first of them are refused, the rest is not read.
    let lines = "Content-Encoding: deflate\r\nContent-Length: 104857600\r\n";
    let bytes = scene.post(lines, &b"x".repeat(100_000));
    scene.refused("100 MB of deflate", &bytes, &[413, 415]).await;
    let lines = "Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n";
    let chunk = [b"100000\r\n".as_slice(), &b"x".repeat(0x10_0000), b"\r\n"].concat();
    let bytes = scene.post(lines, &chunk.repeat(4));
    scene.refused("chunks of deflate", &bytes, &[413, 415]).await;
}
