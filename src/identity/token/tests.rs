use serde_json::json;

use super::*;

const KEY: &[u8] = &[7; 32];
const LIFE: Duration = Duration::from_hours(2);

fn at(seconds: u64) -> TokenTime {
    TokenTime::from_millis(seconds * 1000)
}

fn ann() -> Mint {
    Mint {
        client: ClientId::parse("ann").unwrap(),
        life: LIFE,
        name: None,
        info: None,
        grants: None,
        line: false,
        earlier_until: None,
    }
}

/// A genuine token with these claims.
fn with_claims(claims: &Value) -> String {
    hs256::install();
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(KEY)).unwrap()
}

/// A token with this base64 header over good claims, signed by HMAC with the right key.
fn with_header(header: &str) -> String {
    let token = Signer::new(KEY).mint(ann(), at(100)).token;
    let claims = token.split('.').nth(1).unwrap();
    let message = format!("{header}.{claims}");
    let key = EncodingKey::from_secret(KEY);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn refusal(token: &str) -> TokenError {
    Signer::new(KEY).verify(token, at(100)).unwrap_err()
}

#[test]
fn a_token_says_what_it_was_minted_with() {
    let grants = vec![Grant::parse("chat/*", May::ReadWrite).unwrap()];
    let request = Mint {
        name: DisplayName::parse("Ann \u{1f642}").unwrap(),
        info: Some(json!({"team": [1, null, "x"]})),
        grants: Some(grants),
        earlier_until: Some(500),
        ..ann()
    };
    let minted = Signer::new(KEY).mint(request, at(100));
    assert!(minted.fits());
    let claims = Signer::new(KEY).verify(&minted.token, at(101)).unwrap();
    assert_eq!(*claims, minted.claims);
    assert_eq!((claims.issued_at, claims.expires_at), (100, 7_300));
    assert_eq!((claims.order, claims.earlier_until), (100_000, Some(500)));
    assert_eq!(claims.id.len(), 32);
}

#[test]
fn a_first_token_has_no_claim_that_it_does_not_need() {
    let minted = Signer::new(KEY).mint(ann(), at(100));
    let written = serde_json::to_value(&minted.claims).unwrap();
    let names: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["exp", "iat", "jti", "ord", "sub"]);
    assert!(minted.token.starts_with(&format!("{OUR_HEADER}.")));
}

#[test]
fn an_earlier_token_that_is_expired_is_not_told() {
    let mint = |earlier| {
        let request = Mint { earlier_until: Some(earlier), ..ann() };
        Signer::new(KEY).mint(request, at(100)).claims.earlier_until
    };
    assert_eq!(mint(99), None);
    assert_eq!(mint(100), None);
    assert_eq!(mint(101), Some(101));
}

#[test]
fn tokens_of_one_millisecond_are_ordered_and_unlike() {
    let signer = Signer::new(KEY);
    let first = signer.mint(ann(), at(100));
    let second = signer.mint(ann(), at(100));
    assert_eq!(first.claims.order + 1, second.claims.order);
    assert_ne!(first.claims.id, second.claims.id);
    let tail = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    assert_ne!(tail(&first.token), tail(&second.token));
}

#[test]
fn a_token_is_later_than_one_seen_from_an_earlier_run_with_a_faster_clock() {
    let before = Signer::new(KEY).mint(ann(), at(110));
    let signer = Signer::new(KEY);
    signer.verify(&before.token, at(100)).unwrap();
    assert!(signer.mint(ann(), at(100)).claims.order > before.claims.order);
}

#[test]
fn a_token_expires_in_the_second_it_names_without_leeway() {
    let signer = Signer::new(KEY);
    let token = signer.mint(ann(), at(100)).token;
    assert!(signer.verify(&token, TokenTime::from_millis(7_299_999)).is_ok());
    assert_eq!(signer.verify(&token, at(7_300)), Err(TokenError::Expired));
    assert_eq!(signer.verify(&token, at(u64::MAX / 1000)), Err(TokenError::Expired));
}

#[test]
fn an_expired_token_of_another_key_is_invalid_not_expired() {
    let token = Signer::new(&[8; 32]).mint(ann(), at(100)).token;
    assert_eq!(Signer::new(KEY).verify(&token, at(9_999)), Err(TokenError::Invalid));
    assert_eq!(Signer::new(KEY).verify(&token, at(100)), Err(TokenError::Invalid));
}

#[test]
fn an_unsigned_token_is_invalid() {
    // {"alg":"none"}, {"alg":"None","typ":"JWT"}, {"typ":"JWT"}
    for header in
        ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0", "eyJ0eXAiOiJKV1QifQ"]
    {
        let signed = with_header(header);
        assert_eq!(refusal(&signed), TokenError::Invalid);
        let unsigned = &signed[..=signed.rfind('.').unwrap()];
        assert_eq!(refusal(unsigned), TokenError::Invalid);
    }
    let ours = with_header(OUR_HEADER);
    assert_eq!(refusal(&ours[..=ours.rfind('.').unwrap()]), TokenError::Invalid);
}

#[test]
fn a_header_of_another_algorithm_is_invalid_whoever_signed_it() {
    // {"alg":"HS384"}, {"alg":"HS512"}, {"alg":"RS256"}, {"alg":"hs256"}
    let headers = [
        "eyJhbGciOiJIUzM4NCJ9",
        "eyJhbGciOiJIUzUxMiJ9",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJoczI1NiJ9",
    ];
    for header in headers {
        assert_eq!(refusal(&with_header(header)), TokenError::Invalid, "{header}");
    }
}

#[test]
fn a_header_of_hs256_in_other_words_is_accepted_unless_something_is_critical() {
    // {"alg":"HS256"}, {"alg":"HS256","typ":"JWT"}
    for header in ["eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"] {
        assert!(Signer::new(KEY).verify(&with_header(header), at(100)).is_ok(), "{header}");
    }
    // {"alg":"HS256","crit":["b64"],"b64":false}
    let critical = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9";
    assert_eq!(refusal(&with_header(critical)), TokenError::Invalid);
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    let token = Signer::new(KEY).mint(ann(), at(100)).token;
    for (place, byte) in token.bytes().enumerate() {
        for other in [b'A', b'_', b'.', b'=', b' ', 0] {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = other;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(Signer::new(KEY).verify(&changed, at(100)).is_ok(), other == byte);
        }
    }
}

#[test]
fn other_claims_under_the_old_signature_are_invalid() {
    let [ann, bob] = ["ann", "bob"].map(|id| {
        let request = Mint { client: ClientId::parse(id).unwrap(), ..ann() };
        Signer::new(KEY).mint(request, at(100)).token
    });
    let claims = bob.split('.').nth(1).unwrap();
    let signature = ann.split('.').nth(2).unwrap();
    assert_eq!(refusal(&format!("{OUR_HEADER}.{claims}.{signature}")), TokenError::Invalid);
}

#[test]
fn a_cut_token_is_refused_wherever_it_is_cut() {
    let token = Signer::new(KEY).mint(ann(), at(100)).token;
    let signature = token.rfind('.').unwrap() + 1;
    for end in 0..token.len() {
        let expected = if end < signature { TokenError::Malformed } else { TokenError::Invalid };
        assert_eq!(refusal(&token[..end]), expected, "{end}");
    }
}

#[test]
fn an_extended_token_is_refused() {
    let token = Signer::new(KEY).mint(ann(), at(100)).token;
    for tail in ["A", "AAAA", "=", "==", "\0", "\n", " "] {
        assert_eq!(refusal(&format!("{token}{tail}")), TokenError::Invalid, "{tail:?}");
    }
    for text in
        [format!("{token}."), format!("{token}.A"), format!(".{token}"), format!(" {token}")]
    {
        assert_eq!(refusal(&text), TokenError::Malformed, "{text:?}");
    }
}

#[test]
fn a_text_that_is_no_jwt_is_malformed() {
    let dots = ".".repeat(3_000);
    let long = "a".repeat(60_000);
    let longer = format!("{OUR_HEADER}.{long}.{long}");
    let texts = [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "hello",
        "東.京.都",
        "e30",
        "[1].{}.x",
        &dots,
        &long,
        &longer,
    ];
    for text in texts {
        assert_eq!(refusal(text), TokenError::Malformed, "{text:.20?}");
    }
    let token = Signer::new(KEY).mint(ann(), at(100)).token;
    assert_eq!(refusal(&token.replace('.', "..")), TokenError::Malformed);
}

#[test]
fn a_token_over_4096_bytes_is_malformed_and_minting_it_is_noticed() {
    let mint = |bytes| {
        let request = Mint { info: Some(Value::String("x".repeat(bytes))), ..ann() };
        Signer::new(KEY).mint(request, at(100))
    };
    let small = mint(2_700);
    assert!(small.fits());
    assert!(Signer::new(KEY).verify(&small.token, at(100)).is_ok());
    let large = mint(3_100);
    assert!(!large.fits());
    assert_eq!(refusal(&large.token), TokenError::Malformed);
}

#[test]
fn each_of_the_claims_is_required() {
    let all = json!({"sub": "ann", "iat": 1, "exp": 200, "jti": "x", "ord": 1});
    assert!(Signer::new(KEY).verify(&with_claims(&all), at(100)).is_ok());
    for name in ["sub", "iat", "exp", "jti", "ord"] {
        let mut claims = all.clone();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{name}");
    }
}

#[test]
fn claims_of_a_wrong_type_are_invalid() {
    let wrong = [
        ("sub", json!(7)),
        ("sub", json!("")),
        ("sub", json!("a\u{0}")),
        ("sub", json!(["ann"])),
        ("iat", json!("1")),
        ("exp", json!("200")),
        ("exp", json!(200.5)),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(1e30)),
        ("jti", json!(1)),
        ("ord", json!("1")),
        ("ear", json!("1")),
        ("name", json!("")),
        ("name", json!("x".repeat(65))),
        ("channels", json!(null)),
        ("channels", json!("chat")),
        ("channels", json!([{"channel": "chat"}])),
        ("channels", json!([{"channel": "chat", "may": "x"}])),
        ("channels", json!([{"channel": "a b", "may": "r"}])),
    ];
    for (name, value) in wrong {
        let mut claims = json!({"sub": "ann", "iat": 1, "exp": 200, "jti": "x", "ord": 1});
        claims[name] = value.clone();
        assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{name}: {value}");
    }
    for claims in [json!("ann"), json!(null), json!(7)] {
        assert_eq!(refusal(&with_claims(&claims)), TokenError::Invalid, "{claims}");
    }
}

#[test]
fn without_grants_everything_is_allowed_and_with_an_empty_list_nothing() {
    let mut claims = Signer::new(KEY).mint(ann(), at(100)).claims;
    let room = ChannelName::parse("chat/a").unwrap();
    assert!(claims.may_read(&room) && claims.may_write(&room));
    claims.grants = Some(Vec::new());
    assert!(!claims.may_read(&room) && !claims.may_write(&room));
}

#[test]
fn a_grant_allows_what_it_says_where_it_says_it() {
    let mut claims = Signer::new(KEY).mint(ann(), at(100)).claims;
    claims.grants = Some(vec![
        Grant::parse("chat/*", May::Read).unwrap(),
        Grant::parse("chat/b", May::Write).unwrap(),
        Grant::parse("camera", May::ReadWrite).unwrap(),
    ]);
    let may = |name: &str| {
        let name = ChannelName::parse(name).unwrap();
        (claims.may_read(&name), claims.may_write(&name))
    };
    assert_eq!(may("chat/a"), (true, false));
    assert_eq!(may("chat/b"), (true, true));
    assert_eq!(may("camera"), (true, true));
    assert_eq!(may("board"), (false, false));
}

#[test]
fn grants_are_read_and_written_as_the_wire_has_them() {
    let text = r#"[{"channel":"chat/*","may":"rw"},{"channel":"board","may":"r"}]"#;
    let grants: Vec<Grant> = serde_json::from_str(text).unwrap();
    assert_eq!(grants[0], Grant::parse("chat/*", May::ReadWrite).unwrap());
    let back: Value = serde_json::to_value(&grants).unwrap();
    assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(Grant::parse("a b", May::Read), Err(GrantError));
}

#[test]
fn a_renewal_tells_the_latest_end_of_any_earlier_token() {
    let claims = Signer::new(KEY).mint(ann(), at(100)).claims;
    assert_eq!(claims.earlier_until_if_renewed(at(150), Duration::from_mins(1)), 7_300);
    assert_eq!(claims.earlier_until_if_renewed(at(150), LIFE), 7_350);
    let long = Claims { earlier_until: Some(80_000), ..claims };
    assert_eq!(long.earlier_until_if_renewed(at(150), LIFE), 80_000);
}

#[test]
fn debug_shows_neither_key_nor_token() {
    let signer = Signer::new(b"a very secret key of 32 bytes!!!");
    let minted = signer.mint(ann(), at(100));
    let signature = minted.token.rsplit('.').next().unwrap();
    let shown = format!("{signer:?} {minted:?}");
    assert!(!shown.contains("secret") && !shown.contains("97, 32, 118"), "{shown}");
    assert!(!shown.contains(signature), "{shown}");
}

#[test]
fn a_remembered_token_is_not_taken_apart_again_and_its_time_is_judged_anew() {
    let signer = Signer::new(KEY);
    let Minted { token, .. } = signer.mint(ann(), at(100));
    let claims = signer.verify_often(&token, at(100)).unwrap();
    assert!(Arc::ptr_eq(&signer.verify_often(&token, at(101)).unwrap(), &claims));
    assert!(Arc::ptr_eq(&signer.verify(&token, at(101)).unwrap(), &claims));
    let end = claims.expires_at;
    assert!(signer.verify(&token, at(end - 1)).is_ok());
    assert_eq!(signer.verify_often(&token, at(end)).unwrap_err(), TokenError::Expired);
    let late = Signer::new(KEY);
    assert_eq!(late.verify_often(&token, at(end)).unwrap_err(), TokenError::Expired);
    assert!(late.verified.get(&token).is_none());
    // And nothing but that very token.
    for other in
        [&token[1..], &token[..token.len() - 1], &format!("{token} "), &token.to_uppercase()]
    {
        assert!(signer.verify_often(other, at(101)).is_err(), "{other}");
        assert!(signer.verified.get(other).is_none());
    }
    let other = Signer::new(&[8; 32]);
    assert_eq!(other.verify(&token, at(101)).unwrap_err(), TokenError::Invalid);
}

#[test]
fn what_is_remembered_has_a_bound() {
    let signer = Signer::new(KEY);
    let small = signer.mint(ann(), at(100));
    let grants = vec![Grant::parse("chat/*", May::ReadWrite).unwrap(); 90];
    let large = Arc::new(signer.mint(Mint { grants: Some(grants), ..ann() }, at(100)).claims);
    let small = Arc::new(small.claims);
    let verified = Verified::new();
    for number in 0..20_000 {
        verified.insert(&format!("{number:0300}"), &small);
        verified.insert(&format!("{number:03000}"), &large);
    }
    assert!((2 << 20..=4 << 20).contains(&verified.weight()), "{}", verified.weight());
    assert!(verified.get(&format!("{:0300}", 19_999)).is_some());
    assert!(verified.get(&format!("{:0300}", 100)).is_none());
}
