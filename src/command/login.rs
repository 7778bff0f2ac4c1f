//! `pushgate login`: a token for shells.

use clap::Args;

use super::error::CommandError;
use super::identity::token_in;
use super::options::Connect;
use super::output;
use super::patience::persist;

/// What `--help` says first.
pub(super) const ABOUT: &str = "Log in and print the token.

The token alone goes to standard output, so that a shell can keep it. With a token (--token or
PUSHGATE_TOKEN) the answer is a new one for the same client.";

/// What `--help` says last.
const EXAMPLE: &str = "Example:
  export PUSHGATE_TOKEN=$(pushgate login --name Ada)";

/// The arguments of `pushgate login`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub struct LoginArgs {
    #[command(flatten)]
    connect: Connect,

    /// Print the whole answer as JSON: client id, token, its life in seconds, and who is there
    #[arg(long)]
    json: bool,
}

/// Logs in, and stays present for as long as the gateway lets a client that does nothing.
pub(crate) fn run(args: &LoginArgs) -> Result<(), CommandError> {
    let gateway = args.connect.gateway()?;
    let identity = args.connect.identity()?;
    let answer = persist(|| identity.login_answer(&gateway, args.json))?;
    let token = token_in(&answer)?;
    if args.json {
        output::line(&answer.to_string())?;
    } else {
        output::line(token.reveal())?;
    }
    Ok(())
}
