//! Trying one request again when that is harmless and may help.

use std::time::Duration;

use super::address::Channel;
use super::backoff::Backoff;
use super::error::{CommandError, Retry};
use super::gateway::Gateway;
use super::identity::Identity;

/// How often a request is made before its error is the answer.
const TRIES: u32 = 8;
/// A gateway that asks for a longer wait is not waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// What `request` answers, tried again after 429, 503 and broken connections.
///
/// Only for requests that do nothing twice. Waits: up to 8 tries, each up to 30 seconds after the
/// one before, or as long as `Retry-After` says if that is no more than two minutes.
pub(crate) fn persist<T>(
    mut request: impl FnMut() -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut backoff = Backoff::default();
    let mut tries = 1;
    loop {
        let error = match request() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match error.retry() {
            Retry::After(asked) if tries < TRIES && asked.is_none_or(|asked| asked <= PATIENCE) => {
                pause(backoff.next(asked))?;
            }
            Retry::After(_) | Retry::Never => return Err(error),
        }
        tries += 1;
    }
}

/// What `verb` answers on a channel; asked for again where a login is what the first answer says it
/// lacks.
pub(crate) fn page(
    gateway: &Gateway,
    identity: &mut Identity,
    (verb, channel): (&str, &Channel),
    query: &[(&str, &str)],
) -> Result<String, CommandError> {
    let ask = |identity: &mut Identity| {
        let bearer = identity.for_request(gateway)?;
        gateway.get(verb, channel, query, bearer.as_ref())
    };
    persist(|| match ask(identity) {
        Err(error) => match error.problem() {
            Some(problem) if identity.mend(gateway, problem)? => ask(identity),
            _ => Err(error),
        },
        answer => answer,
    })
}

/// Sleeps, on a timer of its own.
fn pause(wait: Duration) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(CommandError::Runtime)?;
    runtime.block_on(async { tokio::time::sleep(wait).await });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::problem::Problem;

    #[test]
    fn a_temporary_refusal_is_tried_again_and_a_final_one_is_not() {
        let refused = |status| {
            let asked = Some(Duration::ZERO);
            CommandError::Refused(Problem { status, retry_after: asked, ..Problem::default() })
        };
        let mut answers = vec![Err(refused(403)), Err(refused(503))];
        let error = persist::<()>(|| answers.pop().unwrap_or(Ok(()))).unwrap_err();
        assert_eq!(error.problem().map(|problem| problem.status), Some(403));
        assert!(answers.is_empty());
    }
}
