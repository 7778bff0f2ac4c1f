//! `[channels]`: which channels there are, of which kind, and what is kept of them.

use std::time::Duration;

use super::mistake::Origin;
use super::pattern;
use super::section::Section;

/// The rules for channels: the shipped ones, as the operator changed them, then the operator's own.
///
/// No two have the same pattern. Which one holds for a name is not their order's affair: the most
/// specific does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// Every rule.
    pub rules: Vec<ChannelRule>,
}

/// What holds for the channels whose names match a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRule {
    /// A name in NFC, in which `*` is one segment and a last `**` any number; empty for the root.
    pub pattern: String,
    /// What the channel accepts and delivers. Required for a new pattern.
    pub kind: Kind,
    /// Whether it can be used without a token. Default: false.
    pub anonymous: bool,
    /// What is put before each text of a `chat`. Up to 256 characters without control characters,
    /// default empty.
    pub prefix: String,
    /// What a slow connection gets. Default: latest for `camera` and `board`, else every.
    pub delivery: Delivery,
    /// Whether what is kept of it is on disk before a post is answered, and outlives the process. Not
    /// for a `board`, which does anyway, an `echo`, and what is off. Default: false.
    pub durable: bool,
    /// What is kept of it.
    pub history: HistoryBounds,
}

/// What a channel accepts and delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Texts, with their sender and time.
    Message,
    /// Positions in space.
    Camera,
    /// Texts of a room.
    Chat,
    /// The list of topics.
    Board,
    /// Any JSON value.
    Json,
    /// Any message, back to its sender alone.
    Echo,
    /// Nothing: there is no such channel.
    Off,
}

/// What a connection gets that does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Everything, or its end with 4008.
    Every,
    /// The newest of each sender.
    Latest,
}

/// The newest `messages` within `seconds` and `bytes` are what is kept of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryBounds {
    /// How many. 0 to 1 000 000, default 1 000; 0 keeps none.
    pub messages: usize,
    /// How old. 0 to 30 days, default 600 s; 0 keeps none.
    pub seconds: Duration,
    /// How large together. 0 to 1 GiB, default 1 MiB; 0 keeps none.
    pub bytes: usize,
}

impl Default for HistoryBounds {
    fn default() -> Self {
        Self { messages: 1_000, seconds: Duration::from_mins(10), bytes: 1_048_576 }
    }
}

impl Default for Channels {
    fn default() -> Self {
        let rule = |pattern: &str, kind, anonymous| ChannelRule {
            anonymous,
            ..ChannelRule::new(pattern.to_owned(), kind)
        };
        let rules = vec![
            rule("", Kind::Message, false),
            rule("camera", Kind::Camera, true),
            rule("camera/*", Kind::Camera, true),
            rule("chat", Kind::Chat, true),
            rule("chat/*", Kind::Chat, true),
            rule("board", Kind::Board, true),
            rule("**", Kind::Message, false),
        ];
        Self { rules }
    }
}

impl Channels {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut channels = Self::default();
        section.each(|text, origin, section| match pattern::parse(text) {
            Ok(pattern) => channels.change(pattern, origin, section),
            Err(what) => section.refuse_whole(origin, what),
        });
        channels
    }

    /// Lays a table on the rule with its pattern, or makes a new rule of it.
    fn change(&mut self, pattern: String, origin: &Origin, section: &mut Section<'_>) {
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.pattern == pattern) {
            section.choice("kind", &KINDS, &mut rule.kind);
            rule.read_rest(section);
            return;
        }
        let mut kind = None;
        let missing = section.origin("kind").is_none();
        section.choice("kind", &KINDS.map(|(word, kind)| (word, Some(kind))), &mut kind);
        if missing {
            let words = KINDS.map(|(word, _)| format!("{word:?}")).join(", ");
            let what = format!("is required for a channel that is not a shipped one: {words}");
            section.refuse(origin.clone(), "kind", what);
        }
        // Without a kind the rest is read all the same, for its mistakes.
        let mut rule = ChannelRule::new(pattern, kind.unwrap_or(Kind::Chat));
        rule.read_rest(section);
        self.rules.push(rule);
    }
}

const KINDS: [(&str, Kind); 7] = [
    ("message", Kind::Message),
    ("camera", Kind::Camera),
    ("chat", Kind::Chat),
    ("board", Kind::Board),
    ("json", Kind::Json),
    ("echo", Kind::Echo),
    ("off", Kind::Off),
];

impl ChannelRule {
    /// The defaults of a kind.
    fn new(pattern: String, kind: Kind) -> Self {
        let delivery = match kind {
            Kind::Camera | Kind::Board => Delivery::Latest,
            Kind::Message | Kind::Chat | Kind::Json | Kind::Echo | Kind::Off => Delivery::Every,
        };
        Self {
            pattern,
            kind,
            anonymous: false,
            prefix: String::new(),
            delivery,
            durable: false,
            history: HistoryBounds::default(),
        }
    }

    /// The keys beside `kind`.
    fn read_rest(&mut self, section: &mut Section<'_>) {
        const DELIVERIES: [(&str, Delivery); 2] =
            [("every", Delivery::Every), ("latest", Delivery::Latest)];
        let durable = section.origin("durable");
        let prefix = section.origin("prefix");
        section.boolean("anonymous", &mut self.anonymous);
        if let Some(text) = section.parsed("prefix", prefix_text) {
            self.prefix = text;
        }
        section.choice("delivery", &DELIVERIES, &mut self.delivery);
        section.boolean("durable", &mut self.durable);
        section.table("history", |section| self.history.read(section));
        let is_kept = matches!(self.kind, Kind::Message | Kind::Chat | Kind::Json | Kind::Camera);
        if let (true, false, Some(origin)) = (self.durable, is_kept, durable) {
            let what = "is for channels of kind \"message\", \"chat\", \"json\" or \"camera\"";
            section.refuse(origin, "durable", what);
        }
        let fits = matches!(self.kind, Kind::Chat | Kind::Off) || self.prefix.is_empty();
        if let (false, Some(origin)) = (fits, prefix) {
            section.refuse(origin, "prefix", "is for channels of kind \"chat\" alone");
        }
    }
}

impl HistoryBounds {
    fn read(&mut self, section: &mut Section<'_>) {
        section.whole("messages", 0..=1_000_000, &mut self.messages);
        section.seconds("seconds", 0.0..=2_592_000.0, &mut self.seconds);
        section.whole("bytes", 0..=1_073_741_824, &mut self.bytes);
    }
}

fn prefix_text(text: &str) -> Result<String, String> {
    if text.chars().count() > 256 || text.chars().any(char::is_control) {
        return Err("must have at most 256 characters, none of them a control character".to_owned());
    }
    Ok(text.to_owned())
}
