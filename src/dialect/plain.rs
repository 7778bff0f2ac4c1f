//! The plain dialect: one JSON object a message.
//!
//! Source: wire.md section 4. Everything here is plain text building.

use std::time::Duration;

use bytes::Bytes;

use crate::channel::json::{push_string, string};
use crate::channel::{ChannelName, Content, Gap, Kind, Position, Publication};

/// Who published, when and from where, as messages tell it.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Empty for a backend.
    pub client_id: &'a str,
    /// RFC 3339 with microseconds, in the configured time zone.
    pub datetime: &'a str,
    /// As far as `presence.ip` shows it.
    pub ip: &'a str,
}

/// A message that lacks only its id, which the order gives it.
#[derive(Debug)]
pub struct Draft {
    json: Vec<u8>,
    /// What closes the object, behind its id; none where it takes no id.
    end: Option<&'static str>,
}

impl Draft {
    /// The message that subscribers get for `content` by `author`.
    pub fn new(content: &Content, author: Author<'_>) -> Self {
        match content {
            Content::Json(json) => Self { json: json.clone().into_bytes(), end: None },
            Content::Chat(text) => Self::chat(text, author),
            Content::Message(_) => Self::answer(content, author),
        }
    }

    /// `{"message":{…}}` with `content` as its `value`: the answer to a post, whatever the kind.
    pub fn answer(content: &Content, author: Author<'_>) -> Self {
        let mut json = Vec::with_capacity(content.as_str().len() + 200);
        json.extend_from_slice(br#"{"message":{"value":"#);
        match content {
            Content::Message(value) | Content::Chat(value) => push_string(&mut json, value),
            Content::Json(value) => json.extend_from_slice(value.as_bytes()),
        }
        json.extend_from_slice(br#","client_id":"#);
        push_string(&mut json, author.client_id);
        json.extend_from_slice(br#","datetime":""#);
        json.extend_from_slice(author.datetime.as_bytes());
        json.extend_from_slice(br#"","ip":""#);
        json.extend_from_slice(author.ip.as_bytes());
        json.push(b'"');
        Self { json, end: Some("}}") }
    }

    /// `{"message":…,"client_id":…,"datetime":…}`: the text of a room.
    fn chat(text: &str, author: Author<'_>) -> Self {
        let mut json = Vec::with_capacity(text.len() + 150);
        json.extend_from_slice(br#"{"message":"#);
        push_string(&mut json, text);
        json.extend_from_slice(br#","client_id":"#);
        push_string(&mut json, author.client_id);
        json.extend_from_slice(br#","datetime":""#);
        json.extend_from_slice(author.datetime.as_bytes());
        json.push(b'"');
        Self { json, end: Some("}") }
    }

    /// How many bytes the message has without its id.
    pub fn len(&self) -> usize {
        self.json.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// The message at a place in the order that it may not get.
    pub fn at(&self, position: Position) -> Bytes {
        Self { json: self.json.clone(), end: self.end }.finish(position)
    }

    /// The message in its place in the order.
    pub fn finish(mut self, position: Position) -> Bytes {
        if let Some(end) = self.end {
            let tail = format!(r#","id":"{position}"{end}"#);
            self.json.extend_from_slice(tail.as_bytes());
        }
        Bytes::from(self.json)
    }

    /// A message that has no place in the order: a direct one.
    pub fn finish_without_id(mut self) -> Bytes {
        if let Some(end) = self.end {
            self.json.extend_from_slice(end.as_bytes());
        }
        Bytes::from(self.json)
    }
}

/// `{"id":…,"client_id":…,"data":…}`: the shape of `?ids=1` for kinds whose objects carry no id.
pub fn with_id(publication: &Publication) -> Bytes {
    let mut json = Vec::with_capacity(publication.plain.len() + 120);
    json.extend_from_slice(format!(r#"{{"id":"{}","client_id":"#, publication.position).as_bytes());
    push_string(&mut json, &publication.sender);
    json.extend_from_slice(br#","data":"#);
    json.extend_from_slice(&publication.plain);
    json.push(b'}');
    Bytes::from(json)
}

/// `{"id":…,"data":…}`: the shape of history for kinds whose objects carry no id.
pub fn kept(publication: &Publication) -> Bytes {
    let mut json = Vec::with_capacity(publication.plain.len() + 50);
    json.extend_from_slice(format!(r#"{{"id":"{}","data":"#, publication.position).as_bytes());
    json.extend_from_slice(&publication.plain);
    json.push(b'}');
    Bytes::from(json)
}

/// A message of a channel of `kind` that was kept while the order of its channel began anew: with the id
/// that it has now.
pub fn again(plain: Bytes, kind: Kind, position: Position) -> Bytes {
    let end = match kind {
        Kind::Message => r#""}}"#,
        Kind::Chat => r#""}"#,
        Kind::Camera | Kind::Board | Kind::Json | Kind::Echo | Kind::Off => return plain,
    };
    let (start, offset) = (r#","id":""#, format!("-{}{end}", position.offset));
    let id = format!("{start}{}{offset}", position.epoch);
    let Some((message, old)) = plain.len().checked_sub(id.len()).map(|at| plain.split_at(at))
    else {
        return plain;
    };
    if old == id.as_bytes()
        || !old.starts_with(start.as_bytes())
        || !old.ends_with(offset.as_bytes())
    {
        return plain;
    }
    Bytes::from([message, id.as_bytes()].concat())
}

/// `{"since":"<id>"}`: the first message where `?ids=1` is asked for.
pub fn since(since: &str) -> Bytes {
    Bytes::from(format!(r#"{{"since":"{since}"}}"#))
}

/// `{"heartbeat":25}`: a sign of life, and in how many seconds the next one comes at the latest.
pub fn heartbeat(interval: Duration) -> Bytes {
    Bytes::from(format!(r#"{{"heartbeat":{}}}"#, interval.as_secs_f64()))
}

/// The members of a `gap` object, without `{"gap":…}` around it.
pub fn gap_members(channel: &ChannelName, gap: &Gap) -> String {
    let channel = string(channel.as_str());
    format!(r#"{{"channel":{channel},"since":"{}","next":"{}"}}"#, gap.since, gap.next)
}

/// `{"gap":{"channel":…,"since":…,"next":…}}`: what was asked for and is not kept any more.
pub fn gap(channel: &ChannelName, gap: &Gap) -> Bytes {
    Bytes::from(format!(r#"{{"gap":{}}}"#, gap_members(channel, gap)))
}

/// `{"gap":{"channel":…,"inbox":n}}`: how many direct messages the inbox could not hold.
pub fn inbox_gap(channel: &ChannelName, dropped: u64) -> Bytes {
    let channel = string(channel.as_str());
    Bytes::from(format!(r#"{{"gap":{{"channel":{channel},"inbox":{dropped}}}}}"#))
}

/// `{"error":{…}}`: what was wrong with something that a client said on a socket.
pub fn error(code: &str, detail: &str) -> Bytes {
    let (code, detail) = (string(code), string(detail));
    Bytes::from(format!(r#"{{"error":{{"code":{code},"detail":{detail}}}}}"#))
}

/// `{"client_id":…,"ip":…}` with `"name":…` where there is one: an entry of a users list.
pub fn user(client_id: &str, ip: &str, name: Option<&str>) -> String {
    let (client_id, ip) = (string(client_id), string(ip));
    match name {
        None => format!(r#"{{"client_id":{client_id},"ip":{ip}}}"#),
        Some(name) => {
            format!(r#"{{"client_id":{client_id},"ip":{ip},"name":{}}}"#, string(name))
        }
    }
}

/// Joins entries made by [`user`] into a JSON array.
pub fn array<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::from("[");
    for (index, entry) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(entry);
    }
    out.push(']');
    out
}

/// `{"users":[…],"count":n,"version":v}`, with `"partial":true` where the list is not whole.
pub fn users(list: &str, count: usize, version: u64, partial: bool) -> Bytes {
    let partial = if partial { r#","partial":true"# } else { "" };
    Bytes::from(format!(r#"{{"users":{list},"count":{count},"version":{version}{partial}}}"#))
}

/// `{"joined":[…],"left":["client_id",…],"count":n,"version":v}`.
pub fn users_diff(joined: &str, left: &str, count: usize, version: u64) -> Bytes {
    let text =
        format!(r#"{{"joined":{joined},"left":{left},"count":{count},"version":{version}}}"#);
    Bytes::from(text)
}

/// `{"count":n}`.
pub fn users_count(count: usize) -> Bytes {
    Bytes::from(format!(r#"{{"count":{count}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Epoch;

    #[test]
    fn a_message_that_was_kept_has_the_id_that_it_has_now_and_nothing_else_changes() {
        let author = Author { client_id: "c", datetime: "d", ip: "" };
        let at = |epoch| Position { epoch: Epoch::from_random(epoch), offset: 41 };
        let value = r#","id":"00000001-41"}}"#.to_owned();
        let (message, chat) = (Content::Message(value.clone()), Content::Chat(value));
        for (content, kind) in [(message, Kind::Message), (chat, Kind::Chat)] {
            let said = |epoch| Draft::new(&content, author).finish(at(epoch));
            assert_eq!(again(said(1), kind, at(1)), said(1));
            assert_eq!(again(said(1), kind, at(2)), said(2));
        }
        let other = Bytes::from_static(br#"{"a":1,"id":"00000001-41"}"#);
        assert_eq!(again(other.clone(), Kind::Json, at(2)), other);
        assert_eq!(again(Bytes::from_static(b"{}"), Kind::Chat, at(2)), "{}");
    }

    #[test]
    fn a_message_has_the_fixed_members_and_its_id_last() {
        let author = Author { client_id: "c", datetime: "d", ip: "127.0.0.1" };
        let draft = Draft::new(&Content::Message("hi \u{2028}".to_owned()), author);
        let position = Position { epoch: Epoch::from_random(1), offset: 41 };
        let expected = br#"{"message":{"value":"hi \u2028","client_id":"c","datetime":"d","ip":"127.0.0.1","id":"00000001-41"}}"#;
        assert_eq!(draft.finish(position), expected.as_slice());
    }

    #[test]
    fn json_is_delivered_as_it_is_and_wrapped_where_ids_are_wanted() {
        let author = Author { client_id: "c", datetime: "d", ip: "" };
        let position = Position { epoch: Epoch::from_random(1), offset: 2 };
        let plain = Draft::new(&Content::Json("[1.0]".to_owned()), author).finish(position);
        assert_eq!(plain, b"[1.0]".as_slice());
        let at = tokio::time::Instant::now();
        let publication = Publication { position, sender: "c".into(), at, plain };
        let expected = br#"{"id":"00000001-2","client_id":"c","data":[1.0]}"#;
        assert_eq!(with_id(&publication), expected.as_slice());
    }
}
