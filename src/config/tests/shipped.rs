//! The file we ship, and what holds without one.

use super::*;

const TEXT: &str = include_str!("../../../config.toml");

#[test]
fn shipped_file_parses_to_the_default() {
    assert_eq!(from_file(TEXT).unwrap(), Config::default());
}

#[test]
fn shipped_file_names_every_key() {
    // Each key is read as a wrong type on purpose: what is refused is what exists.
    for (table, keys) in [
        ("", "bind port data_dir secret time_zone trusted_proxies"),
        (
            "limits",
            "exempt message_bytes body_bytes header_bytes target_bytes header_seconds \
             body_seconds write_seconds keep_alive_seconds outbox_bytes \
             inbox_bytes inbox_bytes_per_address \
             connections_per_client connections_per_address connections clients \
             logins_per_second login_burst messages_per_second message_burst \
             rooms_per_minute worker_queue",
        ),
        ("presence", "timeout linger restart coalesce max_list max_diff ip"),
        ("post", "require_token"),
        ("cors", "origins"),
        ("tokens", "seconds"),
        ("login", "open"),
        ("api", "keys"),
        ("admin", "bind"),
        ("hooks", "url secret encoding timeout queue"),
        ("database", "url ca"),
        ("tls", "cert key"),
        ("heartbeat", "interval timeout stream"),
        ("server", "drain workers"),
        ("log", "format level"),
        ("channels.chat", "kind anonymous prefix delivery durable history"),
        ("channels.chat.history", "messages seconds bytes"),
    ] {
        let head = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        for key in keys.split_whitespace() {
            let lines = told(from_file(&format!("{head}{key} = 1979-05-27")));
            assert_eq!(lines.len(), 1, "{lines:#?}");
            assert!(lines[0].contains("not a date or time"), "{}", lines[0]);
            assert!(TEXT.contains(&format!("{key} = ")), "config.toml does not name {key}");
        }
        let all = format!("{head}no_such_key_at_all = 1");
        let unknown = told(from_file(&all)).join("\n");
        if !table.is_empty() && !table.starts_with("channels.chat.") {
            let known = unknown.split("known here: ").nth(1).unwrap();
            let mut known: Vec<_> = known.split(", ").collect();
            let mut listed: Vec<_> = keys.split_whitespace().collect();
            known.sort_unstable();
            listed.sort_unstable();
            assert_eq!(known, listed, "[{table}]");
        }
    }
}

#[test]
fn shipped_file_warns_of_nothing() {
    assert_eq!(Config::default().warnings(), Vec::<String>::new());
}

#[test]
fn nothing_at_all_is_the_default() {
    assert_eq!(from_env(&[]).unwrap(), Config::default());
}

#[test]
fn shipped_channels_are_those_of_the_wire_contract() {
    let config = Config::default();
    let camera = rule(&config, "camera/*");
    assert_eq!((camera.kind, camera.delivery), (Kind::Camera, Delivery::Latest));
    assert!(camera.anonymous);
    let any = rule(&config, "**");
    assert_eq!((any.kind, any.anonymous), (Kind::Message, false));
    assert_eq!(config.channels.rules.len(), 7);
}
