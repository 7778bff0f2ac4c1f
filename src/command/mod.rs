//! The client side of the command line: `login`, `pub`, `sub`, `history`, `users` and `camera` against a
//! running gateway.
//!
//! Each verb is a file of its own that parses nothing and prints little: `options` says where the
//! gateway is and who asks, `identity` turns that into a token when one is needed, `gateway` makes
//! one request, `follow` keeps a subscription alive over whatever transport gets through, and `camera`
//! speaks as well. This side knows the gateway by its wire contract alone and shares no code with it.

mod address;
mod backoff;
mod camera;
mod error;
mod follow;
mod gateway;
mod history;
mod identity;
mod interrupt;
mod login;
mod options;
mod output;
mod patience;
mod problem;
mod publish;
mod sub;
mod users;
mod watch;

pub use camera::{CameraArgs, Path};
pub use error::{CommandError, UsageError};
pub use follow::Transport;
pub use history::HistoryArgs;
pub use login::LoginArgs;
pub use options::{ChannelArg, Connect, Secret};
pub use problem::Problem;
pub use publish::PubArgs;
pub use sub::{SubArgs, UsersMode};
pub use users::UsersArgs;

/// The verbs of a client, to be flattened beside those of the gateway itself.
#[derive(clap::Subcommand, Debug)]
pub enum ClientCommand {
    /// Log in and print the token
    #[command(long_about = login::ABOUT)]
    Login(LoginArgs),
    /// Publish a value, or each line of standard input
    #[command(long_about = publish::ABOUT)]
    Pub(PubArgs),
    /// Subscribe, and print each message as a line of JSON
    #[command(long_about = sub::ABOUT)]
    Sub(SubArgs),
    /// Print what was said, as far as it is kept
    #[command(long_about = history::ABOUT)]
    History(HistoryArgs),
    /// List who is there
    #[command(long_about = users::ABOUT)]
    Users(UsersArgs),
    /// Move a camera through a scene
    #[command(long_about = camera::ABOUT)]
    Camera(CameraArgs),
}

impl ClientCommand {
    /// Does what was asked, and returns when it is done.
    ///
    /// Waits: yes, on the network and on standard input; `sub` and `users --watch` until they are
    /// interrupted or their output is closed, `camera` until it is interrupted: good endings all. Calls for a thread that
    /// runs no tokio runtime.
    ///
    /// # Errors
    /// What the user is to be told, by `Display` alone (it names its cause and holds no secret);
    /// [`CommandError::exit_code`] says what to end with.
    pub fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Login(args) => login::run(&args),
            Self::Pub(args) => publish::run(&args),
            Self::Sub(args) => sub::run(&args),
            Self::History(args) => history::run(&args),
            Self::Users(args) => users::run(&args),
            Self::Camera(args) => camera::run(&args),
        }
    }
}
