//! `Forwarded`, `X-Forwarded-For` and their like: who is believed, and how far.

use std::net::{IpAddr, Ipv4Addr};

use super::common::http::Request;
use super::common::node::{Login, TestNode};

/// A proxy that is trusted.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// A stranger who says the same things.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

const CONFIG: &str = "trusted_proxies = [\"127.0.0.2\", \"10.0.0.0/8\", \"fd00::/8\"]\n\
                      [presence]\nip = \"full\"";

/// The address that a post with these headers is known by.
async fn known_by(
    node: &TestNode,
    login: &Login,
    from: IpAddr,
    headers: &[(&str, &str)],
) -> String {
    let post = Request::post("/post").bearer(&login.token).from(from);
    let post = headers.iter().fold(post, |post, (name, value)| post.header(name, value));
    let answer = post.form(&[("value", "hi")]).send(node).await.ok();
    answer["message"]["ip"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stranger_is_known_by_its_own_address_whatever_it_says() {
    let node = TestNode::with_config(CONFIG).await;
    let alice = node.login().await;
    for name in [
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Forwarded",
        "Via",
        "Client-IP",
    ] {
        for value in ["6.6.6.6", "for=6.6.6.6", "127.0.0.2", "for=127.0.0.2, for=6.6.6.6"] {
            let headers = [(name, value)];
            let address = known_by(&node, &alice, STRANGER, &headers).await;
            assert_eq!(address, STRANGER.to_string(), "{name}: {value}");
        }
    }
    let login = Request::get("/login").from(STRANGER).header("X-Forwarded-For", "6.6.6.6");
    let login = login.send(&node).await.ok();
    let own = login["client_id"].as_str().unwrap();
    let list = node.users(&alice).await;
    let entry = list["users"].as_array().unwrap().iter().find(|user| user["client_id"] == own);
    assert_eq!(entry.unwrap()["ip"], STRANGER.to_string(), "on lists, too");
}

#[tokio::test]
async fn of_a_trusted_proxy_the_rightmost_entry_that_is_none_is_believed() {
    let node = TestNode::with_config(CONFIG).await;
    let alice = node.login().await;
    let own = PROXY.to_string();
    for (headers, address) in [
        (&[][..], own.as_str()),
        (&[("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
        (&[("X-Forwarded-For", "6.6.6.6, 192.0.2.7")], "192.0.2.7"),
        (&[("X-Forwarded-For", "6.6.6.6,192.0.2.7,10.1.1.1, 10.2.2.2")], "192.0.2.7"),
        (&[("X-Forwarded-For", "10.1.1.1, 10.2.2.2")], "10.1.1.1"),
        (&[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
        (&[("x-forwarded-for", "192.0.2.7"), ("X-FORWARDED-FOR", "10.1.1.1")], "192.0.2.7"),
        (&[("X-Forwarded-For", "192.0.2.7:4711")], "192.0.2.7"),
        (&[("X-Forwarded-For", "2001:db8::7")], "2001:db8::7"),
        (&[("X-Forwarded-For", "6.6.6.6, [2001:db8::7]:4711, fd00::1")], "2001:db8::7"),
        (&[("X-Forwarded-For", "::ffff:192.0.2.7")], "192.0.2.7"),
        (&[("Forwarded", "for=192.0.2.7")], "192.0.2.7"),
        (&[("Forwarded", "for=6.6.6.6, for=192.0.2.7;proto=https;by=_x")], "192.0.2.7"),
        (&[("Forwarded", "For=\"[2001:db8::7]:4711\"")], "2001:db8::7"),
        (&[("Forwarded", "proto=http; FOR=\"192.0.2.7:4711\" ; host=a")], "192.0.2.7"),
        (&[("Forwarded", "for=6.6.6.6"), ("Forwarded", "for=192.0.2.7")], "192.0.2.7"),
        // Garbage ends the chain: what stands left of it anybody could have written.
        (&[("X-Forwarded-For", "6.6.6.6, garbage")], &own),
        (&[("X-Forwarded-For", "6.6.6.6, garbage, 10.1.1.1")], "10.1.1.1"),
        (&[("X-Forwarded-For", "6.6.6.6, 300.1.1.1")], &own),
        (&[("X-Forwarded-For", "6.6.6.6, 1.1.1.1; 2.2.2.2")], &own),
        (&[("X-Forwarded-For", "6.6.6.6, \u{fc}")], &own),
        (&[("X-Forwarded-For", ", ,")], &own),
        // And no more than that: what a client wrote does not spoil what the proxy adds.
        (&[("X-Forwarded-For", "\u{fc}, 192.0.2.7")], "192.0.2.7"),
        (&[("X-Forwarded-For", "\u{fc}"), ("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
        (&[("Forwarded", "for=\u{fc}, for=192.0.2.7")], "192.0.2.7"),
        (&[("X-Forwarded-For", "")], &own),
        (&[("Forwarded", "for=6.6.6.6, for=unknown")], &own),
        (&[("Forwarded", "for=6.6.6.6, for=_hidden")], &own),
        (&[("Forwarded", "for=6.6.6.6, by=192.0.2.7")], &own),
        (&[("Forwarded", "for=\"6.6.6.6, for=192.0.2.7")], "192.0.2.7"),
        (&[("Forwarded", "for=[2001:db8::7")], &own),
        // Others are nobody's business: no proxy that is told of here writes them.
        (&[("X-Real-IP", "6.6.6.6")], &own),
        (&[("X-Real-IP", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
    ] {
        assert_eq!(known_by(&node, &alice, PROXY, headers).await, address, "{headers:?}");
    }
    let far = format!("{}192.0.2.7", "6.6.6.6, ".repeat(1000));
    let address = known_by(&node, &alice, PROXY, &[("X-Forwarded-For", &far)]).await;
    assert_eq!(address, "192.0.2.7", "a long chain");
}

#[tokio::test]
async fn a_header_that_the_proxy_lets_pass_forges_nothing() {
    let node = TestNode::with_config(CONFIG).await;
    let (alice, victim) = (node.login().await, "6.6.6.6");
    let elsewhere = Request::get("/login").from(PROXY).header("X-Forwarded-For", victim);
    let bob = Login::of(&elsewhere.send(&node).await.ok());
    let by_id = |headers: &[(&str, &str)]| {
        let post = Request::post("/post").from(PROXY);
        let post = headers.iter().fold(post, |post, (name, value)| post.header(name, value));
        post.form(&[("value", "hi"), ("client_id", &bob.client_id)])
    };
    by_id(&[("X-Forwarded-For", victim)]).send(&node).await.ok();
    // The proxy writes one of the two, and the other is as the client sent it.
    for headers in [
        [("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=6.6.6.6")],
        [("Forwarded", "for=192.0.2.7"), ("X-Forwarded-For", "6.6.6.6")],
        [("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=6.6.6.6, garbage")],
    ] {
        let problem = by_id(&headers).send(&node).await.problem(400, "bad-request");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("Forwarded and X-Forwarded-For"), "{detail}");
    }
    let agreed = [("X-Forwarded-For", "1.1.1.1, 192.0.2.7"), ("Forwarded", "for=192.0.2.7")];
    assert_eq!(known_by(&node, &alice, PROXY, &agreed).await, "192.0.2.7");
    by_id(&agreed).send(&node).await.problem(403, "token-required");
}

#[tokio::test]
async fn who_is_not_told_of_is_not_from_here() {
    let node = TestNode::with_config("trusted_proxies = [\"127.0.0.2\"]").await;
    let here = Request::get("/login").from(PROXY).send(&node).await.ok();
    let here = here["client_id"].as_str().unwrap();
    let by_id = Request::post("/post").from(PROXY).form(&[("value", "hi"), ("client_id", here)]);
    by_id.send(&node).await.ok();
    let metrics = Request::get("/metrics").from(PROXY);
    assert_eq!(metrics.send(&node).await.status, 200);
    for (name, value) in [
        ("X-Forwarded-For", "\u{fc}, 192.0.2.7"),
        ("X-Forwarded-For", "192.0.2.7, \u{fc}"),
        ("X-Forwarded-For", "\u{fc}, 127.0.0.2"),
        ("X-Forwarded-For", "garbage"),
        ("X-Forwarded-For", ""),
        ("Forwarded", "for=unknown"),
        ("Forwarded", "for=_hidden, for=127.0.0.2"),
        ("Forwarded", "proto=https"),
    ] {
        by_id.clone().header(name, value).send(&node).await.problem(403, "token-required");
        metrics.clone().header(name, value).send(&node).await.problem(403, "forbidden");
    }
}

/// What thirty logins are answered, one after the other.
async fn logins(
    node: &TestNode,
    headers: impl Fn(usize) -> Vec<(&'static str, String)>,
) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..30 {
        let login = Request::get("/login").from(PROXY);
        let headers = headers(number);
        let login = headers.iter().fold(login, |login, (name, value)| login.header(name, value));
        statuses.push(login.send(node).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_header_that_the_proxy_lets_pass_lifts_no_limit() {
    // The proxy itself is exempt, and those behind it are not.
    let config = "trusted_proxies = [\"127.0.0.2\"]\n\
                  [limits]\nexempt = [\"127.0.0.2\"]\nlogins_per_second = 1\nlogin_burst = 3";
    let node = TestNode::with_config(config).await;
    let is_limited = |statuses: &[u16]| {
        // One a second comes back, and thirty logins do not take many.
        let refused = statuses.iter().filter(|status| **status == 429).count();
        assert!(refused >= 15, "{statuses:?}");
    };
    let honest = || ("X-Forwarded-For", "192.0.2.7".to_owned());
    let forged = |number| vec![honest(), ("Forwarded", format!("for=6.6.6.{number}"))];
    let statuses = logins(&node, forged).await;
    assert_eq!(statuses, [400; 30], "they say two things");
    is_limited(&logins(&node, |_| vec![honest()]).await);
    let spoiled = |_| vec![("X-Forwarded-For", "\u{fc}, 192.0.2.8".to_owned())];
    is_limited(&logins(&node, spoiled).await);
    for name in ["X-Forwarded-For", "Forwarded"] {
        let hidden = logins(&node, |number| vec![(name, format!("for=_{number}"))]).await;
        is_limited(&hidden);
    }
    assert_eq!(logins(&node, |_| Vec::new()).await, [200; 30], "the proxy's own");
}
