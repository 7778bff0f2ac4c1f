//! Secrets are shown nowhere.

use super::*;

#[test]
fn debug_never_shows_a_secret() {
    let text = format!(
        "secret = \"{SECRET}\"\napi.keys = [\"{SECRET}\"]\n\
         [hooks]\nurl = \"https://a.test\"\nsecret = \"{SECRET}\"\n"
    );
    let config = from_file(&text).unwrap();
    let shown = format!("{config:?} {config:#?} {:?}", config.warnings());
    assert!(!shown.contains(SECRET));
    assert_eq!(shown.matches("Secret(redacted)").count(), 6);
}

#[test]
fn mistakes_never_show_a_secret() {
    let short = "s3cr3t-9f2c";
    let text = format!(
        "secret = [\"{short}\"]\napi.keys = [\"{short}\", {{ {short} = \"{short}\" }}]\n\
         [hooks]\nurl = \"https://u:{short}@a.test\"\nsecret = {{ x = \"{short}\" }}\n"
    );
    let env = [
        ("PUSHGATE_ADMIN__BIND", short),
        ("PUSHGATE_PRESENCE__TIMEOUT", short),
        ("PUSHGATE_LOGIN__OPEN", short),
    ];
    let error = with(&text, &env, &Flags::default()).unwrap_err();
    assert_eq!(error.mistakes().len(), 8, "{error}");
    assert!(!format!("{error} {error:?}").contains(short), "{error}");
    let error = from_env(&[("PUSHGATE_SECRET", short), ("PUSHGATE_API__KEYS", short)]);
    assert!(!format!("{error:?}").contains(short));
}

#[test]
fn signing_secret_has_at_least_32_characters_and_is_no_example() {
    let short = format!("secret = \"{}\"", &SECRET[..31]);
    assert_told(from_file(&short), "c.toml:1: secret has 31 characters", &["at least 32"]);
    let result = from_file("secret = \"changeme-changeme-changeme-changeme\"");
    assert_told(result, "c.toml:1: secret is an example", &["openssl"]);
}
