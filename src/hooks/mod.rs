//! Hooks: what follows when a client comes or goes. The users push is one, the webhook another; the
//! scribe writes down what a restart must know of both.

mod scribe;
mod users;
mod webhook;

pub use scribe::Scribe;
pub use users::UsersPush;
pub use webhook::{Outcome, Reason, Tally, Webhook};
