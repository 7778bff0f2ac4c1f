//! Hooks: what follows when a client comes or goes. The users push is one, the webhook another.

mod users;
mod webhook;

pub use users::UsersPush;
pub use webhook::{Outcome, Reason, Tally, Webhook};
