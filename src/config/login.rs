//! `[login]`: who may log in.

use super::section::Section;

/// Logging in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Whether anyone may log in; if not, backends alone mint tokens. Default: true.
    pub open: bool,
}

impl Default for Login {
    fn default() -> Self {
        Self { open: true }
    }
}

impl Login {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut login = Self::default();
        section.boolean("open", &mut login.open);
        login
    }
}
