//! Where topics are kept.

use super::*;

const URL: &str = "postgres://push:s3cr3t@db.example.org:5432/gate?sslmode=require";

#[test]
fn the_address_of_a_server_comes_from_the_environment_or_the_file() {
    let url = |config: &Config| config.database.url.as_ref().map(|url| url.expose().to_owned());
    assert_eq!(url(&Config::default()), None);
    let config = from_env(&[("DATABASE_URL", URL)]).unwrap();
    assert_eq!((url(&config).as_deref(), config.unserved.len()), (Some(URL), 0));
    let other = URL.replace("postgres://", "postgresql://");
    let both = [("DATABASE_URL", URL), ("PUSHGATE_DATABASE__URL", other.as_str())];
    assert_eq!(url(&from_env(&both).unwrap()), Some(other.clone()), "ours wins");
    let file = format!("[database]\nurl = \"{other}\"");
    assert_eq!(url(&from_file(&file).unwrap()), Some(other));
    assert!(!format!("{config:?}").contains("s3cr3t"));
}

#[test]
fn an_address_that_cannot_be_used_is_refused_without_repeating_it() {
    for url in
        ["postgres://push:s3cr3t@host:99999/x", "postgres:///s3cr3t?no_such=1", "postgres://"]
    {
        let lines = told(from_env(&[("DATABASE_URL", url)]));
        assert_eq!(lines.len(), 1, "{url}: {lines:?}");
        assert!(lines[0].contains("DATABASE_URL"), "{}", lines[0]);
        assert!(!lines[0].contains("s3cr3t"), "{}", lines[0]);
    }
    let lines = told(from_file("[database]\nurl = \"mysql://push:s3cr3t@host/x\""));
    assert!(lines[0].contains("postgres://"), "{}", lines[0]);
    assert!(!lines[0].contains("s3cr3t"), "{}", lines[0]);
}

#[test]
fn another_kind_of_database_is_told_of() {
    let config = from_env(&[("DATABASE_URL", "mysql://push:s3cr3t@host/x")]).unwrap();
    assert_eq!((config.unserved, config.database.url), (vec!["DATABASE_URL".to_owned()], None));
}

#[test]
fn an_authority_must_be_there() {
    let lines = told(from_file("[database]\nca = \"/no/such/file\""));
    assert!(lines[0].contains("ca") && lines[0].contains("cannot be read"), "{}", lines[0]);
}
