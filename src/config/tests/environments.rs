//! What the environment can say.

use super::*;

#[test]
fn variables_of_each_type_override_the_file() {
    let env = [
        ("PUSHGATE_BIND", "127.0.0.1"),
        ("PUSHGATE_PORT", "9000"),
        ("PUSHGATE_DATA_DIR", "/var/lib/p"),
        ("PUSHGATE_SECRET", SECRET),
        ("PUSHGATE_TIME_ZONE", "Asia/Seoul"),
        ("PUSHGATE_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("PUSHGATE_PRESENCE__TIMEOUT", "5"),
        ("PUSHGATE_PRESENCE__COALESCE", "0.5"),
        ("PUSHGATE_PRESENCE__IP", "none"),
        ("PUSHGATE_POST__REQUIRE_TOKEN", "true"),
        ("PUSHGATE_CORS__ORIGINS", "[\"https://a.test\", \"null\"]"),
        ("PUSHGATE_LIMITS__MESSAGE_BYTES", "100"),
        ("PUSHGATE_CHANNELS__CHAT__HISTORY__MESSAGES", "7"),
    ];
    let file = "port = 1\nbind = \"::1\"\n[presence]\ntimeout = 9\nlinger = 9\n";
    let config = with(file, &env, &Flags::default()).unwrap();
    assert_eq!(config.bind.to_string(), "127.0.0.1");
    assert_eq!(config.port, 9000);
    assert_eq!(config.data_dir, Path::new("/var/lib/p"));
    assert!(config.data_dir_given);
    assert_eq!(config.secret, Some(Secret::new(SECRET)));
    assert_eq!(config.time_zone.iana_name(), Some("Asia/Seoul"));
    let proxies: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(config.presence.timeout, Duration::from_secs(5));
    assert_eq!(config.presence.linger, Duration::from_secs(9));
    assert_eq!(config.presence.coalesce, Duration::from_millis(500));
    assert_eq!(config.presence.ip, IpDisclosure::None);
    assert!(config.post.require_token);
    assert_eq!(config.cors.origins, ["https://a.test", "null"]);
    assert_eq!(config.limits.message_bytes, 100);
    assert_eq!(rule(&config, "chat").history.messages, 7);
    assert_eq!(rule(&config, "chat").history.bytes, 1_048_576);
}

#[test]
fn wrong_variables_are_told_by_name() {
    for (name, text, what) in [
        ("PORT", "http", "port must be a whole number from 0 to 65535"),
        ("PORT", "70000", "port must be a whole number from 0 to 65535, not 70000"),
        ("PUSHGATE_PORT", "", "port must be"),
        ("PUSHGATE_PRESENCE__TIMEOUT", "soon", "presence.timeout must be a number from 0.1"),
        ("PUSHGATE_PRESENCE__TIMEOUT", "NaN", "presence.timeout must be from 0.1"),
        ("PUSHGATE_POST__REQUIRE_TOKEN", "yes", "post.require_token must be true or false"),
        ("PUSHGATE_CORS__ORIGINS", "[\"https://a.test\"", "cors.origins must be a list"),
        ("PUSHGATE_CORS__ORIGINS", "https://a.test,b", "cors.origins[1] must be"),
        ("PUSHGATE_PRESENCE", "5", "presence must be a table"),
        ("PUSHGATE_PORT__X", "5", "port must be a whole number"),
        ("PUSHGATE_DATA_DIR", "", "data_dir must not be empty"),
    ] {
        let start = format!("environment variable {name}: {what}");
        assert_told(from_env(&[(name, text)]), &start, &[]);
    }
}

#[test]
fn unknown_variable_names_the_one_that_was_meant() {
    let result = from_env(&[("PUSHGATE_PRESENCE_TIMEOUT", "5")]);
    assert_told(result, "environment variable", &["mean PUSHGATE_PRESENCE__TIMEOUT?"]);
    let result = from_env(&[("PUSHGATE_PRESENCE__TIMEOUTS", "5")]);
    assert_told(result, "environment variable", &["mean \"presence.timeout\"?"]);
    let result = from_env(&[("PUSHGATE_TIMEZONE", "UTC")]);
    assert_told(result, "environment variable", &["mean \"time_zone\"?"]);
}

#[test]
fn empty_list_and_empty_secret_are_none() {
    let env = [("PUSHGATE_API__KEYS", ""), ("PUSHGATE_SECRET", ""), ("PORT", "")];
    assert_eq!(from_env(&env).unwrap(), Config::default());
    let none = from_env(&[("PUSHGATE_CORS__ORIGINS", "[]")]).unwrap();
    assert_eq!(none.cors.origins, Vec::<String>::new());
}

#[test]
fn patterns_can_be_given_as_toml() {
    let table = "{\"chat/*\" = {prefix = \"# \"}, news = {kind = \"json\"}}";
    let config = from_env(&[("PUSHGATE_CHANNELS", table)]).unwrap();
    assert_eq!(rule(&config, "chat/*").prefix, "# ");
    assert_eq!(rule(&config, "news").kind, Kind::Json);
    let config = from_env(&[("PUSHGATE_CHANNELS____ANONYMOUS", "true")]).unwrap();
    assert!(rule(&config, "").anonymous);
}

#[test]
fn service_links_of_kubernetes_are_not_ours() {
    let env = [
        ("PUSHGATE_SERVICE_HOST", "10.0.0.1"),
        ("PUSHGATE_SERVICE_PORT", "8080"),
        ("PUSHGATE_SERVICE_PORT_HTTP", "8080"),
        ("PUSHGATE_PORT", "tcp://10.0.0.1:8080"),
        ("PUSHGATE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PUSHGATE_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(from_env(&env).unwrap(), Config::default());
}

#[test]
fn variables_of_others_are_left_alone() {
    let env = [("PATH", "/bin"), ("PUSHGATEWAY_URL", "x"), ("pushgate_port", "1")];
    assert_eq!(from_env(&env).unwrap(), Config::default());
}

#[test]
fn value_under_a_table_is_told_where_it_stands() {
    let result = with("presence = 5", &[("PUSHGATE_PRESENCE__LINGER", "1")], &Flags::default());
    assert_told(result, "c.toml:1: presence must be a table", &["not a whole number"]);
}

#[test]
fn mistakes_come_file_first_then_environment_then_flags() {
    let flags = Flags { bind: Some("here".to_owned()), ..Flags::default() };
    let env = [("PUSHGATE_PRESENCE__LINGER", "x"), ("PUSHGATE_LIMITS__CLIENTS", "x")];
    let lines = told(with("\ntime_zone = \"Mars\"\n", &env, &flags));
    let starts = ["c.toml:2: ", "environment variable PUSHGATE_LIMITS", "environment", "flag"];
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}
