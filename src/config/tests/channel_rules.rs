//! Rules for channels.

use super::*;

#[test]
fn table_changes_only_the_keys_it_names() {
    let text = "[channels.board]\nhistory = { messages = 3 }\n[channels.\"**\"]\nkind = \"off\"";
    let config = from_file(text).unwrap();
    let board = rule(&config, "board");
    assert_eq!((board.kind, board.delivery), (Kind::Board, Delivery::Latest));
    assert!(board.anonymous);
    assert_eq!(board.history.messages, 3);
    assert_eq!(board.history.seconds, Duration::from_mins(10));
    assert_eq!(rule(&config, "**").kind, Kind::Off);
    assert_eq!(config.channels.rules.len(), 7);
}

#[test]
fn new_pattern_gets_the_defaults_of_its_kind() {
    let text = "[channels.\"cam/*\"]\nkind = \"camera\"\n[channels.news]\nkind = \"json\"\n";
    let config = from_file(text).unwrap();
    assert_eq!(rule(&config, "cam/*").delivery, Delivery::Latest);
    assert!(!rule(&config, "cam/*").anonymous);
    assert_eq!(rule(&config, "news").delivery, Delivery::Every);
    assert_eq!(config.channels.rules.len(), 9);
}

#[test]
fn new_pattern_must_say_its_kind() {
    let result = from_file("\n[channels.news]\nanonymous = true\nprefix = \"x\"\n");
    let parts = ["\"message\", \"camera\"", "\"off\""];
    assert_told(result, "c.toml:2: channels.news.kind is required", &parts);
    let result = from_file("[channels.news]\nkind = \"jsn\"\n");
    assert_told(result, "c.toml:2: channels.news.kind must be one of", &["not \"jsn\""]);
}

#[test]
fn patterns_are_names_or_wildcards() {
    for good in ["a", "a/b/c/d", "*/*", "a/**", "로비", "東京/*", "a.b_c~d-e", &"x".repeat(64)]
    {
        let config = from_file(&format!("[channels.\"{good}\"]\nkind = \"echo\""));
        assert!(config.is_ok(), "{good}: {config:?}");
    }
    let long = "x".repeat(65);
    let wide = ["é".repeat(60), "é".repeat(60), "é".repeat(60)].join("/");
    for bad in
        ["/", "a/", "/a", "a//b", ".", "a/..", "a b", "a/b/c/d/e", "**/a", "a*", "***", "a?b"]
            .into_iter()
            .chain([long.as_str(), wide.as_str()])
    {
        let result = from_file(&format!("[channels.\"{bad}\"]\nkind = \"echo\"\nzz = 1"));
        assert_told(result, "c.toml:1: channels.", &["is no channel pattern"]);
    }
}

#[test]
fn patterns_are_kept_in_nfc() {
    let config = from_file("[channels.\"cafe\\u0301\"]\nkind = \"echo\"").unwrap();
    assert_eq!(rule(&config, "caf\u{e9}").kind, Kind::Echo);
}

#[test]
fn only_what_has_a_history_is_durable() {
    assert!(from_file("[channels.chat]\ndurable = true\n").is_ok());
    let result = from_file("[channels.board]\ndurable = true\n");
    let parts = ["is for channels of kind"];
    assert_told(result, "c.toml:2: channels.board.durable", &parts);
}

#[test]
fn prefix_is_for_chat_and_has_a_bound() {
    let config = from_file("channels.chat.prefix = \"> \"").unwrap();
    assert_eq!(rule(&config, "chat").prefix, "> ");
    let result = from_file("channels.board.prefix = \"> \"");
    assert_told(result, "c.toml:1: channels.board.prefix is for", &["chat"]);
    assert!(from_file("channels.chat.prefix = \"a\\nb\"").is_err());
    assert!(from_file(&format!("channels.chat.prefix = \"{}\"", "x".repeat(257))).is_err());
}
