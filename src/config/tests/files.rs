//! What is told of a file.

use super::*;

#[test]
fn several_mistakes_are_told_at_once_with_their_lines() {
    let text = "port = 70000\n\n[presence]\ntimeout = \"long\"\nip = \"half\"\n\
                [cors]\norigins = [\n  \"https://a.test\",\n  \"https://b.test/\",\n]\n";
    let lines = told(from_file(text));
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(lines[0], "c.toml:1: port must be a whole number from 0 to 65535, not 70000");
    assert_eq!(
        lines[1],
        "c.toml:4: presence.timeout must be a number from 0.1 to 2592000 seconds, not a text"
    );
    assert_eq!(
        lines[2],
        "c.toml:5: presence.ip must be one of \"cut\", \"full\", \"none\", not \"half\""
    );
    assert!(lines[3].starts_with("c.toml:9: cors.origins[1] must be"), "{}", lines[3]);
}

#[test]
fn unknown_key_names_the_nearest_known_one() {
    let result = from_file("[presence]\n\ntimeuot = 5\n");
    assert_told(result, "c.toml:3: presence.timeuot is", &["did you mean \"presence.timeout\"?"]);
    let result = from_file("[presense]\ntimeout = 5\n");
    assert_told(result, "c.toml:1: presense is", &["did you mean \"presence\"?"]);
    let result = from_file("[channels.\"chat/*\"]\nanonymus = true\n");
    assert_told(result, "c.toml:2: channels.\"chat/*\".anonymus", &["anonymous"]);
}

#[test]
fn unknown_key_is_a_mistake_in_every_table() {
    for table in TABLES {
        let table = if table == "channels" { "channels.chat" } else { table };
        let start = format!("c.toml:2: {table}.zzzzzzzzzz is no known key");
        assert_told(from_file(&format!("[{table}]\nzzzzzzzzzz = 1\n")), &start, &[]);
    }
    assert_told(from_file("zzzzzzzzzz = 1"), "c.toml:1: zzzzzzzzzz is no known key", &[]);
    let result = from_file("[channels.chat]\nhistory = { zzzzzzzzzz = 1 }");
    assert_told(result, "c.toml:2: channels.chat.history.zzzzzzzzzz", &[]);
}

#[test]
fn value_of_another_type_says_what_is_wanted() {
    for (text, parts) in [
        ("port = \"80\"", ["a whole number from 0 to 65535", "not a text"]),
        ("port = 80.5", ["a whole number", "not a fraction"]),
        ("bind = 1", ["a text", "not a whole number"]),
        ("presence = 5", ["a table", "not a whole number"]),
        ("post.require_token = 1", ["true or false", "not a whole number"]),
        ("cors.origins = \"*\"", ["a list of texts", ""]),
        ("cors.origins = [1]", ["a text", "not a whole number"]),
        ("limits.clients = 99999999999999999999", ["a whole number", "beyond 64 bits"]),
        ("time_zone = 07:32:00", ["a text", "not a date or time"]),
        ("log.level = { a = 1 }", ["a text", "not a table"]),
    ] {
        assert_told(from_file(text), "c.toml:1: ", &parts);
    }
}

#[test]
fn numbers_stay_within_their_ranges() {
    for text in [
        "port = -1",
        "port = 65536",
        "limits.message_bytes = 0",
        "limits.message_bytes = 67108865",
        "limits.header_bytes = 8191",
        "limits.login_burst = 4294967297",
        "tokens.seconds = 59",
        "tokens.seconds = 86401",
        "tokens.seconds = nan",
        "tokens.seconds = inf",
        "tokens.seconds = 99999999999",
        "presence.linger = -1",
        "server.drain = 300.5",
        "server.workers = 1025",
        "channels.chat.history.messages = -1",
    ] {
        assert_told(from_file(text), "c.toml:1: ", &["must be ", "from ", " to "]);
    }
}

#[test]
fn seconds_may_be_fractions() {
    let config = from_file("[presence]\nlinger = 0.25\ncoalesce = 0\n").unwrap();
    assert_eq!(config.presence.linger, Duration::from_millis(250));
    assert_eq!(config.presence.coalesce, Duration::ZERO);
}

#[test]
fn syntax_errors_give_the_line_and_nothing_of_it() {
    let lines = told(from_file(&format!("port = 80\nsecret = \"{SECRET}\nbind = \"::\"\n")));
    assert!(lines[0].starts_with("c.toml:2: "), "{lines:#?}");
    assert!(!lines.join("\n").contains(SECRET));
    let lines = told(from_file("[presence]\ntimeout = 5\n\n[presence]\n"));
    assert!(lines[0].starts_with("c.toml:4: "), "{lines:#?}");
    assert!(told(from_file("[presence\n"))[0].starts_with("c.toml:1: "));
}

#[test]
fn half_written_file_is_refused() {
    assert!(
        told(from_file("port = 80\n[cors]\norigins = [\"https://a.te"))[0]
            .starts_with("c.toml:3: ")
    );
    assert!(told(from_file("port =\nbind = \"::\"\n"))[0].starts_with("c.toml:1: "));
}

#[test]
fn named_file_is_read_and_its_path_told() {
    let file = Scratch::new("named.toml", b"port = 4000\n");
    assert_eq!(file.load().unwrap().port, 4000);
    let file = Scratch::new("wrong.toml", b"\nport = true\n");
    let start = format!("{}:2: port must be", file.0.display());
    assert_told(file.load(), &start, &["not true or false"]);
}

#[test]
fn usual_file_is_read_where_it_is_and_may_be_missing() {
    // Tests run in the package, where the usual file is the shipped one.
    assert_eq!(load(&Flags::default(), []).unwrap(), Config::default());
}

#[test]
fn named_file_must_exist() {
    let flags = Flags { config: Some("/no/such/file.toml".into()), ..Flags::default() };
    assert_told(load(&flags, []), "/no/such/file.toml: cannot be read", &[]);
}

#[test]
fn file_that_is_not_utf_8_gives_the_line() {
    let file = Scratch::new("latin.toml", b"port = 1\n# caf\xe9\n");
    assert_told(file.load(), &format!("{}:2: is not UTF-8", file.0.display()), &[]);
}

#[test]
fn byte_order_mark_and_windows_lines_are_read() {
    let file = Scratch::new("bom.toml", b"\xef\xbb\xbfport = 1\r\n[presence]\r\nlinger = 1\r\n");
    assert_eq!(file.load().unwrap().port, 1);
}
