//! The topics of the board, as plain data: one, and the list of all of them.
//!
//! Source: wire.md section 7.

use bytes::Bytes;

use super::json::push_string;

/// One entry of the board.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Given by the database, never twice.
    pub id: i64,
    /// 1 to 1000 characters.
    pub comment: String,
}

/// All topics at one time, oldest first, and how subscribers are told of them.
#[derive(Debug, Eq, PartialEq)]
pub struct Topics {
    list: Vec<Topic>,
    json: Bytes,
}

impl Topics {
    /// How many there may be.
    pub const MOST: usize = 1000;
    /// How long the list may be as JSON, in bytes.
    pub const BYTES: usize = 512 * 1024;
    /// How many characters the comment of one may have.
    pub const COMMENT: usize = 1000;

    /// The newest of `list`, which is sorted by id, as far as the bounds of the board allow. Another
    /// program may have put more into the database.
    pub fn new(mut list: Vec<Topic>) -> Self {
        let mut bytes = EMPTY.len();
        let fits = list.iter().rev().take(Self::MOST).take_while(|topic| {
            bytes += topic.to_json().len() + 1;
            bytes <= Self::BYTES
        });
        let fits = fits.count();
        list.drain(..list.len() - fits);
        let entries: Vec<String> = list.iter().map(Topic::to_json).collect();
        let json = format!(r#"{{"contents":[{}]}}"#, entries.join(","));
        Self { list, json: Bytes::from(json) }
    }

    /// Oldest first.
    pub fn list(&self) -> &[Topic] {
        &self.list
    }

    /// `{"contents":[{"id":…,"comment":…},…]}`.
    pub const fn json(&self) -> &Bytes {
        &self.json
    }

    /// Whether one more fits on the board. Its id does not matter: what fits has room for any.
    pub fn has_room_for(&self, comment: &str) -> bool {
        let topic = Topic { id: i64::MIN, comment: comment.to_owned() };
        self.list.len() < Self::MOST && self.json.len() + topic.to_json().len() < Self::BYTES
    }
}

const EMPTY: &str = r#"{"contents":[]}"#;

impl Topic {
    /// `{"id":…,"comment":…}`.
    pub fn to_json(&self) -> String {
        let mut json = format!(r#"{{"id":{},"comment":"#, self.id).into_bytes();
        push_string(&mut json, &self.comment);
        json.push(b'}');
        String::from_utf8(json).unwrap_or_default()
    }

    /// Whether `comment` can be that of a topic.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    ///
    /// Texts of PostgreSQL hold no NUL, and what one database cannot keep, none does.
    pub fn check(comment: &str) -> Result<(), String> {
        let length = comment.chars().count();
        if comment.trim().is_empty() {
            return Err("must not be missing or empty".to_owned());
        }
        if length > Topics::COMMENT {
            let most = Topics::COMMENT;
            return Err(format!("must have at most {most} characters, and has {length}"));
        }
        if comment.contains('\0') {
            return Err("must not hold a NUL".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(id: i64, comment: &str) -> Topic {
        Topic { id, comment: comment.to_owned() }
    }

    #[test]
    fn the_list_is_told_as_a_whole() {
        assert_eq!(Topics::new(Vec::new()).json(), EMPTY.as_bytes());
        let topics = Topics::new(vec![topic(1, "a\"\u{2028}"), topic(7, "<b>로비")]);
        let json = r#"{"contents":[{"id":1,"comment":"a\"\u2028"},{"id":7,"comment":"<b>로비"}]}"#;
        assert_eq!(topics.json(), json.as_bytes());
    }

    #[test]
    fn the_newest_are_shown_of_a_list_that_is_beyond_the_bounds() {
        let many: Vec<_> = (1..=1500).map(|id| topic(id, "x")).collect();
        let topics = Topics::new(many);
        assert_eq!(topics.list().len(), Topics::MOST);
        assert_eq!(topics.list().first().unwrap().id, 501);
        assert!(!topics.has_room_for("y"));
        // Written by another program: each control character takes six bytes.
        let long = "\u{1}".repeat(10_000);
        let topics = Topics::new((1..=20).map(|id| topic(id, &long)).collect());
        assert!(topics.json().len() <= Topics::BYTES);
        assert_eq!(topics.list().last().unwrap().id, 20);
        assert_eq!(topics.list().len(), 8);
    }

    #[test]
    fn there_is_room_as_long_as_the_whole_list_fits() {
        let comment = "x".repeat(1000);
        let mut list = Vec::new();
        while Topics::new(list.clone()).has_room_for(&comment) {
            list.push(topic(i64::try_from(list.len()).unwrap(), &comment));
        }
        let full = Topics::new(list.clone());
        assert_eq!(full.list().len(), list.len());
        assert!(full.json().len() <= Topics::BYTES);
        assert!(full.json().len() + 2 * comment.len() > Topics::BYTES);
    }

    #[test]
    fn a_comment_has_1_to_1000_characters() {
        let long = "로".repeat(1000);
        for comment in ["a", "<b>", " a ", "a\nb", long.as_str()] {
            assert_eq!(Topic::check(comment), Ok(()), "{comment}");
        }
        let longer = "로".repeat(1001);
        for comment in ["", " ", "\n\t", "\u{3000}", "a\0", longer.as_str()] {
            assert!(Topic::check(comment).is_err(), "{comment}");
        }
    }
}
