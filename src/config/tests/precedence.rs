//! Which source wins.

use super::*;

#[test]
fn port_goes_flag_then_pushgate_then_port_then_file() {
    let flags = Flags { port: Some(4), ..Flags::default() };
    let env = [("PORT", "2"), ("PUSHGATE_PORT", "3")];
    assert_eq!(from_file("").unwrap().port, 8080);
    assert_eq!(from_file("port = 1").unwrap().port, 1);
    assert_eq!(with("port = 1", &env[..1], &Flags::default()).unwrap().port, 2);
    assert_eq!(with("port = 1", &env, &Flags::default()).unwrap().port, 3);
    assert_eq!(with("port = 1", &env, &flags).unwrap().port, 4);
}

#[test]
fn flags_are_strongest() {
    let flags = Flags {
        bind: Some("::1".to_owned()),
        data_dir: Some("from-flag".into()),
        ..Flags::default()
    };
    let env = [("PUSHGATE_BIND", "10.0.0.1"), ("PUSHGATE_DATA_DIR", "from-env")];
    let config = with("data_dir = \"from-file\"", &env, &flags).unwrap();
    assert_eq!(config.bind.to_string(), "::1");
    assert_eq!(config.data_dir, Path::new("from-flag"));
    assert!(config.data_dir_given);
}

#[test]
fn wrong_flags_are_told_by_flag() {
    let flags = Flags { bind: Some("0.0.0.0:80".to_owned()), ..Flags::default() };
    assert_told(with("", &[], &flags), "flag --bind: bind must be", &["without a port"]);
    let flags = Flags { data_dir: Some(PathBuf::new()), ..Flags::default() };
    assert_told(with("", &[], &flags), "flag --data-dir: data_dir must not be empty", &[]);
}
