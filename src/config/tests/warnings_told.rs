//! What is told at the start.

use super::*;

#[test]
fn each_insecure_switch_has_its_line() {
    for (text, start) in [
        ("presence.ip = \"full\"", "presence.ip"),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "trusted_proxies"),
        ("limits.exempt = [\"::/0\"]", "limits.exempt"),
        ("cors.origins = [\"https://a.test\", \"null\"]", "cors.origins"),
        ("cors.origins = [\"https://a.test\", \"*\"]", "cors.origins"),
        ("channels.\"**\".anonymous = true", "channels.\"**\".anonymous"),
        ("hooks = { url = \"http://a.test\", secret = \"9f2c4e8a1b7d3056\" }", "hooks.url is not"),
        ("hooks = { url = \"http://8.8.8.8\", secret = \"9f2c4e8a1b7d3056\" }", "hooks.url is not"),
    ] {
        let lines = from_file(text).unwrap().warnings();
        assert_eq!(lines.len(), 1, "{text}: {lines:?}");
        assert!(lines[0].starts_with(start), "{lines:?}");
    }
}

#[test]
fn hooks_that_nobody_can_listen_to_are_not_warned_of() {
    for url in [
        "https://a.test",
        "http://localhost:80",
        "http://127.0.0.1",
        "http://10.0.0.7/x",
        "http://[::1]",
    ] {
        let text = format!("hooks = {{ url = \"{url}\", secret = \"9f2c4e8a1b7d3056\" }}");
        assert_eq!(from_file(&text).unwrap().warnings(), Vec::<String>::new(), "{url}");
    }
}

#[test]
fn unserved_variables_are_told_by_name_only() {
    let url = "redis://:s3cr3t@host";
    let config = from_env(&[("REDIS_URL", url), ("DATABASE_URL", url)]).unwrap();
    assert_eq!(config.unserved, ["DATABASE_URL", "REDIS_URL"]);
    let lines = config.warnings();
    assert_eq!(lines[1], "REDIS_URL is set, but this build has no Redis engine: it runs in memory");
    assert!(!format!("{config:?} {lines:?}").contains("s3cr3t"));
    assert_eq!(from_env(&[("REDIS_URL", "")]).unwrap(), Config::default());
}
