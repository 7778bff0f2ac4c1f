//! Hooks: what follows when a client comes or goes. The users push is one.

mod users;

pub use users::UsersPush;
