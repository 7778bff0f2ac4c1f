//! `[database]`: where topics are kept.

use std::fs::File;
use std::path::PathBuf;

use super::secret::Secret;
use super::section::Section;

/// What an address of PostgreSQL begins with. Source: libpq, connection URIs.
pub(super) const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Database {
    /// The address of a PostgreSQL server and its database; it may hold a password. Default: none, and
    /// a file of SQLite in `data_dir`.
    pub url: Option<Secret>,
    /// Certificates in PEM, one of which must have signed the server's; readable at the start. Default:
    /// none, and an encrypted connection is not checked.
    pub ca: Option<PathBuf>,
}

impl Database {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let origin = section.origin("ca");
        let database = Self {
            url: section.optional("url", url),
            ca: section.optional("ca", |text| Ok(PathBuf::from(text))),
        };
        if let (Some(ca), Some(origin)) = (&database.ca, origin)
            && let Err(error) = File::open(ca)
        {
            section.refuse(origin, "ca", format!("cannot be read: {error}"));
        }
        database
    }
}

/// The error never repeats the text.
fn url(text: &str) -> Result<Secret, String> {
    if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
        return Err(format!("must begin with {}", SCHEMES.join(" or ")));
    }
    match text.parse::<tokio_postgres::Config>() {
        Ok(config) if config.get_hosts().is_empty() => Err("names no host".to_owned()),
        Ok(_) => Ok(Secret::new(text)),
        Err(_) => Err("is no address such as postgres://user:password@host:5432/database".into()),
    }
}
