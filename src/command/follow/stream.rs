//! Newline-delimited JSON: an object a line, an empty line as heartbeat.

use super::connection::{Event, Plan, Port};
use super::ending::{Ending, Read};
use super::lines::Lines;
use super::message::Message;

/// Reads until the stream ends.
pub(crate) fn read(plan: &Plan, port: &Port) -> Read {
    // Any type will do: the line format shows soon enough, and `application/x-ndjson` has rivals.
    let mut lines = Lines::open(plan, &plan.url("stream", &[]), "")?;
    port.tell(Event::Open)?;
    loop {
        let line = lines.next()?;
        if line.is_empty() {
            continue;
        }
        if let Message::Close(code) = Message::read(&line) {
            return Err(Ending::Closed(code));
        }
        port.text(line)?;
    }
}
