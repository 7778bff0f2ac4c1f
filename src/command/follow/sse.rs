//! Server-Sent Events: blocks of fields, dispatched at an empty line (WHATWG HTML, 9.2.6).

use std::time::Duration;

use super::connection::{Event, Plan, Port};
use super::ending::{Ending, Read};
use super::lines::Lines;
use super::message::code_in;

/// Reads until the stream ends.
pub(crate) fn read(plan: &Plan, port: &Port) -> Read {
    let mut lines = Lines::open(plan, &plan.url("sse", &[]), "text/event-stream")?;
    let mut parser = Parser::default();
    let mut opened = false;
    loop {
        let line = match lines.next() {
            Ok(line) => line,
            // A stream of nothing but `retry:` is how a gateway tells a browser 429 or 503.
            Err(Ending::Lost(why)) => {
                let later = parser.retry.filter(|_| !opened).map(Ending::Later);
                return Err(later.unwrap_or(Ending::Lost(why)));
            }
            Err(ending) => return Err(ending),
        };
        let is_sign_of_life = line.starts_with(':');
        let block = parser.line(&line);
        if !opened && (is_sign_of_life || block.is_some()) {
            opened = true;
            port.tell(Event::Open)?;
        }
        if let Some(block) = block {
            dispatch(block, port)?;
        }
    }
}

fn dispatch(block: Block, port: &Port) -> Result<(), Ending> {
    match (block.data, block.id) {
        (Some(data), _) if block.event == "close" => Err(Ending::Closed(code_in(&data))),
        (Some(text), id) => port.tell(Event::Text { text, id }),
        (None, Some(position)) => port.tell(Event::Position(position)),
        (None, None) => Ok(()),
    }
}

/// One block of fields.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    id: Option<String>,
    event: String,
    data: Option<String>,
}

/// Puts lines together to blocks. A block that was cut off is never seen, nor is its id.
#[derive(Debug, Default)]
struct Parser {
    block: Block,
    retry: Option<Duration>,
}

impl Parser {
    /// Takes one line; the block it ends, if that says anything.
    fn line(&mut self, line: &str) -> Option<Block> {
        let line = line.trim_start_matches('\u{feff}');
        if line.is_empty() {
            let block = std::mem::take(&mut self.block);
            return (block.id.is_some() || block.data.is_some()).then_some(block);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.block.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            "id" if !value.is_empty() && !value.contains('\0') => {
                self.block.id = Some(value.to_owned());
            }
            "event" => value.clone_into(&mut self.block.event),
            "retry" => self.retry = value.parse().map(Duration::from_millis).ok().or(self.retry),
            // A comment, or a field of a later time.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<Block> {
        let mut parser = Parser::default();
        text.split('\n').filter_map(|line| parser.line(line)).collect()
    }

    fn block(id: Option<&str>, data: Option<&str>) -> Block {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Block { id: owned(id), event: String::new(), data: owned(data) }
    }

    #[test]
    fn an_id_belongs_to_its_block_alone() {
        let text = "id: k-1\ndata: {}\n\ndata: {\"users\":[]}\n\n";
        assert_eq!(
            blocks(text),
            [block(Some("k-1"), Some("{}")), block(None, Some("{\"users\":[]}"))]
        );
    }

    #[test]
    fn a_block_with_an_id_only_is_a_position() {
        assert_eq!(blocks("retry: 2000\nid: k-0\n\n"), [block(Some("k-0"), None)]);
    }

    #[test]
    fn a_block_that_was_cut_off_is_not_told() {
        assert!(blocks("id: k-7\ndata: {\"a\"").is_empty());
    }

    #[test]
    fn lines_of_data_are_joined_and_one_space_is_dropped() {
        assert_eq!(blocks("data:a\ndata:  b\ndata\n\n"), [block(None, Some("a\n b\n"))]);
    }

    #[test]
    fn comments_unknown_fields_and_empty_blocks_are_nothing() {
        assert!(blocks(": ping\n\nfoo: bar\n\nevent: x\n\n\n").is_empty());
        assert!(blocks("id\n\nid: a\0b\n\n").is_empty());
    }

    #[test]
    fn a_close_is_told_by_its_event() {
        let told = blocks("event: close\ndata: {\"code\":4001}\n\ndata: 1\n\n");
        assert_eq!(told[0].event, "close");
        assert_eq!(told[1].event, "");
    }

    #[test]
    fn retry_is_kept_apart_from_blocks() {
        let mut parser = Parser::default();
        assert_eq!(parser.line("retry: 1500"), None);
        assert_eq!(parser.line("retry: soon"), None);
        assert_eq!(parser.line(""), None);
        assert_eq!(parser.retry, Some(Duration::from_millis(1500)));
    }
}
