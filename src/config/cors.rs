//! `[cors]`: which pages may read our answers.

use super::network;
use super::section::Section;

/// Cross-origin requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins as browsers send them: `*`, `null`, or `scheme://host[:port]` in lower case without
    /// the scheme's own port. Default: `*` alone; none means no page of another origin.
    pub origins: Vec<String>,
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: vec!["*".to_owned()] }
    }
}

impl Cors {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut cors = Self::default();
        section.list("origins", &mut cors.origins, network::origin);
        cors
    }
}
