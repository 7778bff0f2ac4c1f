//! The lines of a body that does not end.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::{Body, BodyReader};

use super::connection::Plan;
use super::ending::Ending;
use crate::command::gateway::{LARGEST, Timing, refusal};
use crate::command::problem::Problem;
use crate::command::{CommandError, gateway::CONNECT};

/// Streams carry a heartbeat every 15 seconds; three of them missing mean that nobody is there.
const SILENCE: Duration = Duration::from_secs(45);

/// A body, read line by line.
pub(crate) struct Lines {
    reader: BufReader<BodyReader<'static>>,
}

impl Lines {
    /// Opens `url` as `plan` says, to an answer of the type `wanted`.
    pub(crate) fn open(plan: &Plan, url: &str, wanted: &str) -> Result<Self, Ending> {
        let timing = Timing { head: CONNECT * 2, read: SILENCE };
        let mut response = plan
            .gateway
            .open(url, plan.bearer.as_ref(), timing)
            .map_err(|error| Ending::Failed(plan.gateway.unreachable(error)))?;
        if !response.status().is_success() {
            return Err(unopened(refusal(&mut response)));
        }
        if !content_type(&response).starts_with(wanted) {
            let detail = format!("the answer is not {wanted}");
            let problem = Problem::of_status(response.status().as_u16(), &detail);
            return Err(Ending::Blocked(CommandError::Foreign(problem)));
        }
        Ok(Self { reader: BufReader::new(response.into_body().into_reader()) })
    }

    /// The next line without its end; `Lost` when there is none.
    pub(crate) fn next(&mut self) -> Result<String, Ending> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(LARGEST).read_until(b'\n', &mut line);
        match read {
            Ok(_) if line.pop_if(|byte| *byte == b'\n').is_some() => {
                line.pop_if(|byte| *byte == b'\r');
                Ok(String::from_utf8_lossy(&line).into_owned())
            }
            // A line that the connection cut short was never told.
            Ok(_) => Err(Ending::Lost("the connection ended".to_owned())),
            Err(error) => Err(Ending::Lost(error.to_string())),
        }
    }
}

/// An error that kept a connection from opening: the gateway's own, or of something in between.
pub(crate) fn unopened(error: CommandError) -> Ending {
    if matches!(&error, CommandError::Foreign(problem) if !problem.is_temporary()) {
        Ending::Blocked(error)
    } else {
        Ending::Failed(error)
    }
}

fn content_type(response: &Response<Body>) -> &str {
    let value = response.headers().get(header::CONTENT_TYPE);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}
