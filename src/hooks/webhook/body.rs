//! The body of an event: one field, `from`, as forms are sent.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::event::Event;
use crate::config::HookEncoding;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A body and its media type.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Body {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Body {
    /// The body of `event`, the same at each attempt.
    pub(super) fn of(event: &Event, encoding: HookEncoding) -> Self {
        let client = event.client.as_str();
        match encoding {
            HookEncoding::Form => Self {
                media_type: "application/x-www-form-urlencoded".to_owned(),
                bytes: format!("from={}", utf8_percent_encode(client, ENCODED)).into_bytes(),
            },
            HookEncoding::Multipart => {
                // Nobody who chooses an id knows the boundary; and no id has the end of a line.
                let boundary = format!("pushgate-{}", event.id.simple());
                let bytes = format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\n\
                     {client}\r\n--{boundary}--\r\n"
                );
                let media_type = format!("multipart/form-data; boundary={boundary}");
                Self { media_type, bytes: bytes.into_bytes() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ClientId;
    use crate::presence::Edge;

    #[test]
    fn any_id_is_one_field_of_a_form() {
        let client = ClientId::parse("ann&from=bob %\"東").unwrap();
        let body = Body::of(&Event::new(client, Edge::Connected), HookEncoding::Form);
        assert_eq!(body.bytes, b"from=ann%26from%3Dbob%20%25%22%E6%9D%B1");
    }

    #[test]
    fn a_part_holds_the_id_as_it_is() {
        let client = ClientId::parse("ann--東\"").unwrap();
        let event = Event::new(client, Edge::Connected);
        let body = Body::of(&event, HookEncoding::Multipart);
        let (_, boundary) = body.media_type.split_once("boundary=").unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\n\
             ann--東\"\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(body.bytes.clone()).unwrap(), expected);
        assert_eq!(Body::of(&event, HookEncoding::Multipart), body, "the same at each attempt");
    }
}
