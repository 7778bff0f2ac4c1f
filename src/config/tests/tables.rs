//! What each table takes and refuses.

use super::*;

#[test]
fn body_grows_with_the_message_unless_it_is_set() {
    let config = from_file("[limits]\nmessage_bytes = 2097152\n").unwrap();
    assert_eq!(config.limits.body_bytes, 2_097_152 * 2 + 65_536);
    assert_eq!(config.limits.outbox_bytes, 2_097_152 * 2 + 65_536);
    let small = from_file("[limits]\nmessage_bytes = 65536\n").unwrap();
    assert_eq!(small.limits.body_bytes, 1_048_576);
    let result = from_file("[limits]\nbody_bytes = 32768\n");
    assert_told(result, "c.toml:2: limits.body_bytes must be more than", &["32768"]);
    let kept = from_file("[limits]\noutbox_bytes = 4096\n").unwrap();
    assert_eq!(kept.limits.outbox_bytes, 4096);
}

#[test]
fn plain_addresses_are_networks_of_one() {
    let config = from_file("limits.exempt = [\"127.0.0.1\", \"10.1.2.3/8\"]").unwrap();
    let exempt: Vec<_> = config.limits.exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["127.0.0.1/32", "10.0.0.0/8"]);
    assert_told(from_file("limits.exempt = [\"lan\"]"), "c.toml:1: limits.exempt[0]", &[]);
}

#[test]
fn time_zone_is_an_iana_name() {
    assert_eq!(from_file("time_zone = \"UTC\"").unwrap(), Config::default());
    let result = from_file("time_zone = \"Asia/Soul\"");
    assert_told(result, "c.toml:1: time_zone must be", &["did you mean \"Asia/Seoul\"?"]);
    assert!(from_file("time_zone = \"\"").is_err());
    assert!(from_file("time_zone = \"Etc/Unknown\"").is_err());
    assert!(from_file("time_zone = \"../../etc/passwd\"").is_err());
}

#[test]
fn origins_are_as_browsers_send_them() {
    let given = "cors.origins = [\"HTTPS://App.Test:443\", \"http://[::1]:8080\", \
                 \"null\", \"capacitor://localhost\", \"http://localhost:80\"]";
    let origins = from_file(given).unwrap().cors.origins;
    let wanted = [
        "https://app.test",
        "http://[::1]:8080",
        "null",
        "capacitor://localhost",
        "http://localhost",
    ];
    assert_eq!(origins, wanted);
    for bad in [
        "",
        "app.test",
        "https://",
        "https://a.test/",
        "https://a.test/x",
        "https://*.a.test",
        "https://a.test:99999",
        "https://a.test:+80",
        "https://a.test:",
        "https://u@a.test",
        "https://[::1",
        "https://é.test",
        "://a.test",
        " *",
    ] {
        let result = from_file(&format!("cors.origins = [\"{bad}\"]"));
        assert_told(result, "c.toml:1: cors.origins[0] must be", &[]);
    }
}

#[test]
fn api_keys_are_long_and_no_examples() {
    let good = "9f2c4e8a1b7d3056c2e1";
    let config = from_file(&format!("api.keys = [\"{good}\"]")).unwrap();
    assert_eq!(config.api.keys[0].expose(), good);
    for (bad, what) in [
        ("", "is empty"),
        ("9f2c4e8a1b7d3056c2e", "has 19 characters"),
        ("changeme-changeme-changeme", "is an example"),
        ("Example-Key-0123456789", "is an example"),
        ("9f2c4e8a 1b7d3056c2e1", "visible ASCII"),
    ] {
        let result = from_file(&format!("api.keys = [\"{good}\", \"{bad}\"]"));
        assert_told(result, "c.toml:1: api.keys[1] ", &[what]);
    }
}

#[test]
fn admin_needs_an_address_and_a_port() {
    let config = from_file("admin.bind = \"127.0.0.1:9090\"").unwrap();
    assert_eq!(config.admin.bind, Some("127.0.0.1:9090".parse().unwrap()));
    assert_told(from_file("admin.bind = \"9090\""), "c.toml:1: admin.bind must be", &[]);
}

/// A secret that is long enough for hooks.
const HOOKS: &str = "9f2c4e8a1b7d3056";

#[test]
fn hooks_need_an_address_and_a_secret() {
    let text = format!(
        "[hooks]\nurl = \"HTTPS://a.test/x/\"\nsecret = \"{HOOKS}\"\nencoding = \"multipart\"\n\
         timeout = 0.5\nqueue = 7"
    );
    let hooks = from_file(&text).unwrap().hooks;
    assert_eq!(hooks.url.as_deref(), Some("https://a.test/x"));
    assert_eq!(hooks.encoding, HookEncoding::Multipart);
    assert_eq!((hooks.timeout, hooks.queue), (Duration::from_millis(500), 7));
    for secret in ["", "secret = \"\""] {
        let result = from_file(&format!("[hooks]\nurl = \"http://a.test\"\n{secret}"));
        assert_told(result, "c.toml:2: hooks.secret is required", &[]);
    }
    for bad in [
        "ftp://a.test",
        "a.test",
        "https://",
        "https://a.test/?q",
        "https://a.test/#f",
        "https://u:p@a.test",
        "https://a.test/<x>",
        "https://a.test:99999",
    ] {
        let result = from_file(&format!("[hooks]\nurl = \"{bad}\"\nsecret = \"{HOOKS}\""));
        assert_told(result, "c.toml:2: hooks.url must be", &[]);
    }
}

#[test]
fn secret_of_hooks_has_at_least_16_characters_and_is_no_example() {
    for (bad, what) in [(&HOOKS[..15], "has 15 characters"), ("changeme-changeme", "is an example")]
    {
        let result = from_file(&format!("[hooks]\nurl = \"https://a.test\"\nsecret = \"{bad}\""));
        let lines = told(result);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with(&format!("c.toml:3: hooks.secret {what}")), "{lines:#?}");
    }
}

#[test]
fn hooks_say_whether_they_name_an_address_themselves() {
    for (url, names) in [
        ("http://127.0.0.1:8000", true),
        ("http://[::1]:8000/x", true),
        ("https://169.254.169.254", true),
        ("http://LocalHost", true),
        ("https://localhost.a.test", false),
        ("https://a.test", false),
        // Names to whoever resolves them, whatever they come out as.
        ("http://127.1", false),
        ("http://2130706433", false),
        ("http://0x7f.1", false),
    ] {
        let text = format!("[hooks]\nurl = \"{url}\"\nsecret = \"{HOOKS}\"");
        assert_eq!(from_file(&text).unwrap().hooks.names_its_address(), names, "{url}");
    }
    assert!(!Config::default().hooks.names_its_address());
}

#[test]
fn tls_needs_both_files_and_can_read_them() {
    let file = Scratch::new("cert.pem", b"");
    let path = file.0.display();
    let config = from_file(&format!("[tls]\ncert = '{path}'\nkey = '{path}'")).unwrap();
    assert_eq!(config.tls, Some(Tls { cert: file.0.clone(), key: file.0.clone() }));
    let result = from_file(&format!("[tls]\ncert = '{path}'\nkey = ''"));
    assert_told(result, "c.toml:2: tls.key is required", &[]);
    let result = from_file(&format!("[tls]\nkey = '{path}'"));
    assert_told(result, "c.toml:2: tls.cert is required", &[]);
    let lines = told(from_file("[tls]\ncert = '/no/cert'\nkey = '/no/key'"));
    assert!(lines[0].starts_with("c.toml:2: tls.cert cannot be read"), "{lines:#?}");
    assert!(lines[1].starts_with("c.toml:3: tls.key cannot be read"), "{lines:#?}");
}

#[test]
fn log_level_is_a_level_or_a_filter() {
    let config = from_file("log.level = \"warn,pushgate::hub=debug\"\nlog.format = \"json\"");
    assert_eq!(config.unwrap().log.format, LogFormat::Json);
    let result = from_file("log.level = \"inof\"");
    assert_told(result, "c.toml:1: log.level must be", &["not \"inof\""]);
    assert!(from_file("log.level = \"pushgate=loud\"").is_err());
    assert!(from_file("log.level = \"\"").is_err());
}
