//! What nobody may guess: ids and tokens of very many logins.

use std::collections::HashSet;

use futures_util::future::join_all;

use super::common::http::{Connection, Request};
use super::common::node::{Login, TestNode};
use super::common::{guarded, jwt};

const CONNECTIONS: usize = 4;
const LOGINS: usize = 20_000;
/// As many as are asked for before an answer is read.
const BATCH: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_and_tokens_of_twenty_thousand_logins_are_random_and_never_repeat() {
    let node = TestNode::start().await;
    let logins = join_all((0..CONNECTIONS).map(|_| log_in(&node, LOGINS / CONNECTIONS))).await;
    let logins = logins.concat();
    assert_eq!(logins.len(), LOGINS);

    let ids = logins.iter().map(|login| uuid::Uuid::parse_str(&login.client_id).unwrap());
    let ids: Vec<uuid::Uuid> = ids.collect();
    for id in &ids {
        assert_eq!(id.get_version_num(), 4, "{id}");
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122, "{id}");
    }
    // All but the four bits of the version and the two of the variant: 122.
    let fixed = |bit: usize| (48..52).contains(&bit) || (64..66).contains(&bit);
    let free: Vec<usize> = (0..128).filter(|bit| !fixed(*bit)).collect();
    assert_eq!(free.len(), 122);
    are_random(&ids.iter().map(|id| id.as_bytes().to_vec()).collect::<Vec<_>>(), &free);

    let tokens: HashSet<&str> = logins.iter().map(|login| login.token.as_str()).collect();
    assert_eq!(tokens.len(), LOGINS);
    let (mut numbers, mut signatures) = (Vec::new(), Vec::new());
    for login in &logins {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        assert!(login.token.bytes().all(safe), "{}", login.token);
        let (_, claims) = jwt::read(&login.token);
        assert_eq!(claims["sub"], login.client_id);
        let number = u128::from_str_radix(claims["jti"].as_str().unwrap(), 16).unwrap();
        numbers.push(number.to_be_bytes().to_vec());
        signatures.push(jwt::decode(login.token.rsplit('.').next().unwrap()));
    }
    are_random(&numbers, &(0..128).collect::<Vec<_>>());
    are_random(&signatures, &(0..256).collect::<Vec<_>>());
    for pair in signatures.windows(2) {
        let apart: u32 =
            pair[0].iter().zip(&pair[1]).map(|(one, other)| (one ^ other).count_ones()).sum();
        // Half of 256 bits differ, give or take eight.
        assert!((64..192).contains(&apart), "neighbours differ by {apart} bits");
    }
}

/// No two are alike, and each of these bits is set in half of them, give or take: at 20,000 the
/// deviation is 0.35 in a hundred, and five in a hundred does not happen.
#[track_caller]
fn are_random(values: &[Vec<u8>], bits: &[usize]) {
    let distinct: HashSet<&Vec<u8>> = values.iter().collect();
    assert_eq!(distinct.len(), values.len(), "one came twice");
    for bit in bits {
        let set = values.iter().filter(|value| value[bit / 8] >> (7 - bit % 8) & 1 == 1).count();
        let share = set * 1000 / values.len();
        assert!((450..550).contains(&share), "bit {bit} is set in {share} of a thousand");
    }
}

/// Logs in so many times over one connection.
async fn log_in(node: &TestNode, count: usize) -> Vec<Login> {
    let mut connection = Connection::open(node.address()).await;
    let request = Request::get("/login?users=none").bytes(node.address(), true);
    let mut logins = Vec::new();
    while logins.len() < count {
        connection.write(&request.repeat(BATCH)).await;
        for _ in 0..BATCH {
            let answer = guarded("a login", connection.try_response()).await.unwrap();
            logins.push(Login::of(&answer.ok()));
        }
    }
    logins
}
