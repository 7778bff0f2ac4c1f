//! Posts whose keys are remembered stay on the disk, and nobody is served them beyond the bounds.

use serde_json::{Value, json};

use super::common::http::Request;
use super::common::node::{API_KEY, TestNode, api_key_config};
use super::common::{at_offset, id_of, offset_of};
use super::database::Database;
use super::{crash, reads};

/// A channel with one bound.
struct Bounded {
    name: &'static str,
    history: &'static str,
    /// How many keyed posts there are: more than the store looks at in a step.
    posts: u64,
    /// What tells where it begins, of those of `rows`.
    begins: &'static str,
}

/// How many are not old: more than memory has where nobody needs them.
const NEW: u64 = 1200;

const CHANNELS: [Bounded; 3] = [
    Bounded {
        name: "count",
        history: "{ messages = 1200, seconds = 3600, bytes = 67108864 }",
        posts: 2500,
        begins: "SELECT max(number) - 1199 FROM rows",
    },
    Bounded {
        name: "age",
        history: "{ messages = 100000, seconds = 200, bytes = 67108864 }",
        posts: 2500,
        begins: "SELECT min(number) FROM rows WHERE sender <> 'old'",
    },
    Bounded {
        name: "bytes",
        history: "{ messages = 100000, seconds = 3600, bytes = 100000 }",
        posts: 22_000,
        begins: "SELECT min(number) FROM (SELECT number, sum(octet_length(message)) \
                 OVER (ORDER BY number DESC) AS newer FROM rows) AS sums WHERE newer <= 100000",
    },
];

pub(super) async fn what_is_served_is_what_is_kept_however_many_keys_are_remembered(
    database: Database,
) {
    let mut node = database.node(&config()).await;
    for channel in &CHANNELS {
        channel.post(&node, "first").await;
    }
    node.terminate().await;
    for channel in &CHANNELS {
        database.execute(&node, &channel.many()).await;
    }
    node.start_again().await;
    reads(&node).await;
    for channel in &CHANNELS {
        // First from the store alone, then with some in memory, and then by another process.
        channel.serves_what_is_kept(&database, &node, channel.posts).await;
        channel.post(&node, "next").await;
        channel.serves_what_is_kept(&database, &node, channel.posts + 1).await;
    }
    crash(&mut node).await;
    for channel in &CHANNELS {
        channel.serves_what_is_kept(&database, &node, channel.posts + 1).await;
    }
    let rows = database.count(&node, "SELECT count(*) FROM pushgate_messages").await;
    let posted: u64 = CHANNELS.iter().map(|channel| channel.posts + 1).sum();
    assert_eq!(u64::try_from(rows).unwrap(), posted, "their keys are remembered");
}

fn config() -> String {
    let channel = |Bounded { name, history, .. }: Bounded| {
        format!(
            "[channels.{name}]\nkind = \"message\"\nanonymous = true\ndurable = true\n\
             history = {history}\n"
        )
    };
    CHANNELS.map(channel).concat() + &api_key_config()
}

impl Bounded {
    async fn post(&self, node: &TestNode, key: &str) {
        let request = Request::post(&format!("/post/{}", self.name)).bearer(API_KEY);
        request.header("Idempotency-Key", key).form(&[("value", "more")]).send(node).await.ok();
    }

    /// Has the channel have all its posts, each under a key, where it has one.
    fn many(&self) -> String {
        let Self { name, posts, .. } = self;
        format!(
            "INSERT INTO pushgate_messages (channel, number, accepted, sender, message, \
                                            retry_key, retry_body, retry_datetime, retry_ip) \
             WITH RECURSIVE more (number) AS \
                 (SELECT 2 UNION ALL SELECT number + 1 FROM more WHERE number < {posts}) \
             SELECT id, more.number, accepted, '', '{{\"message\":{{\"value\":\"more' \
                    || CASE more.number % 2 WHEN 0 THEN '' ELSE ' and more' END \
                    || '\",\"id\":\"' || epoch || '-' || more.number || '\"}}}}', \
                    'key ' || more.number, retry_body, retry_datetime, retry_ip \
             FROM more, pushgate_channels JOIN pushgate_messages ON channel = id \
             WHERE name = '{name}'; \
             UPDATE pushgate_messages SET accepted = accepted - 250000, sender = 'old' \
             WHERE number <= {posts} - {NEW} \
             AND channel = (SELECT id FROM pushgate_channels WHERE name = '{name}'); \
             UPDATE pushgate_channels SET last = {posts}, bytes = \
                 (SELECT sum(octet_length(message)) FROM pushgate_messages WHERE channel = id) \
             WHERE name = '{name}'"
        )
    }

    /// The number of the first that is kept, of the rows that there are.
    async fn first(&self, database: &Database, node: &TestNode) -> u64 {
        let rows = format!(
            "WITH rows AS (SELECT * FROM pushgate_messages WHERE channel = \
             (SELECT id FROM pushgate_channels WHERE name = '{}')) ",
            self.name
        );
        u64::try_from(database.count(node, &(rows + self.begins)).await).unwrap()
    }

    async fn page(&self, node: &TestNode, query: &str) -> Value {
        Request::get(&format!("/history/{}?{query}", self.name)).send(node).await.ok()
    }

    /// Both ways, to the end, and from each side of where it begins.
    async fn serves_what_is_kept(&self, database: &Database, node: &TestNode, last: u64) {
        let (name, first) = (self.name, self.first(database, node).await);
        assert!(first > 1000 && last - first > 1000, "{name}: {first} to {last}");
        let page = self.page(node, "since=0&limit=1").await;
        let at = |offset| at_offset(id_of(&page["messages"][0]), offset);
        let mut back = self.all(node, "before", &at(last + 1)).await;
        back.reverse();
        for served in [self.all(node, "since", "0").await, back] {
            let ends = (served.first().copied(), served.last().copied());
            assert_eq!(ends, (Some(first), Some(last)), "{name}");
            assert!(served.into_iter().eq(first..=last), "{name}");
        }
        let cases = [
            (format!("since={}", at(first - 2)), true, Some(first), true),
            (format!("since={}", at(first - 1)), false, Some(first), true),
            (format!("before={}", at(first + 1)), false, Some(first), false),
            (format!("before={}", at(first)), true, None, false),
            (format!("before={}", at(first - 9)), true, None, false),
        ];
        for (query, is_gap, served, is_more) in cases {
            let page = self.page(node, &format!("{query}&limit=1")).await;
            let gap = is_gap.then(|| json!(at(first)));
            assert_eq!(page.pointer("/gap/next").cloned(), gap, "{name}: {query}");
            assert_eq!(offsets(&page), Vec::from_iter(served), "{name}: {query}");
            assert_eq!(page["more"], is_more, "{name}: {query}");
        }
    }

    /// The offsets of all that is served after a place, or before one.
    async fn all(&self, node: &TestNode, direction: &str, from: &str) -> Vec<u64> {
        let (mut all, mut from) = (Vec::new(), from.to_owned());
        loop {
            let page = self.page(node, &format!("{direction}={from}&limit=1000")).await;
            assert_eq!(page.get("gap"), None, "{}", self.name);
            all.extend(offsets(&page));
            if page["more"] == false {
                return all;
            }
            let messages = page["messages"].as_array().unwrap();
            id_of(messages.last().unwrap()).clone_into(&mut from);
        }
    }
}

fn offsets(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| offset_of(id_of(message))).collect()
}
