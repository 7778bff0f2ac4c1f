//! What `/metrics` tells, read as strictly as Prometheus would, and a little more so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::client::Transport;
use super::http::{Request, Response};
use super::node::TestNode;
use super::until;

/// A page of metrics.
#[derive(Debug, Default)]
pub struct Scrape {
    /// Name, kind and help of each family, as they came.
    pub families: Vec<Family>,
    /// Each number as it was written.
    samples: BTreeMap<String, String>,
    pub text: String,
}

#[derive(Clone, Debug, Default)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub help: String,
    /// The names of its labels, `le` left out.
    pub labels: BTreeSet<String>,
}

impl Family {
    /// What its samples are called, but for those of a histogram.
    pub fn sample_name(&self) -> String {
        match self.kind.as_str() {
            "counter" => format!("{}_total", self.name),
            "info" => format!("{}_info", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Scrape {
    /// The metrics of a node, from its public port.
    pub async fn of(node: &TestNode) -> Self {
        Self::read(&Request::get("/metrics").send(node).await)
    }

    /// The metrics at another address.
    pub async fn at(address: SocketAddr) -> Self {
        Self::read(&Request::get("/metrics").send_to(address).await)
    }

    pub fn read(answer: &Response) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self::parse(answer.text())
    }

    /// Reads a page and fails on the first line that breaks a rule.
    pub fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the mark of the end");
        let mut scrape = Self { text: text.to_owned(), ..Self::default() };
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                let known = scrape.families.iter().any(|family| family.name == name);
                assert!(!known && help.ends_with('.'), "{line}");
                let (name, help) = (name.to_owned(), help.to_owned());
                scrape.families.push(Family { name, help, ..Family::default() });
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let family = scrape.families.last_mut().expect("HELP comes first");
                let kind = rest.strip_prefix(&format!("{} ", family.name)).expect(line);
                assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
                kind.clone_into(&mut family.kind);
            } else {
                scrape.sample(line);
            }
        }
        scrape.families.iter().for_each(check_name);
        scrape.check_histograms();
        scrape
    }

    fn sample(&mut self, line: &str) {
        let (series, value) = line.rsplit_once(' ').expect(line);
        let number: f64 = value.parse().expect(line);
        assert!(number.is_finite() && number >= 0.0, "{line}");
        let (name, labels) = match series.split_once('{') {
            None => (series, Vec::new()),
            Some((name, labels)) => (name, labels_in(labels.strip_suffix('}').expect(line))),
        };
        let family = self.families.last_mut().expect("HELP and TYPE come first");
        let endings: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "gauge" => &[""],
            _ => panic!("no TYPE before {line}"),
        };
        let fits = |ending: &&str| format!("{}{ending}", family.name) == name;
        assert!(endings.iter().any(fits), "{line} is not of {}", family.name);
        family.labels.extend(labels.iter().map(|(name, _)| name.clone()).filter(|l| l != "le"));
        let twice = self.samples.insert(key(name, &labels), value.to_owned());
        assert!(twice.is_none(), "{line} comes twice");
    }

    fn check_histograms(&self) {
        for family in self.families.iter().filter(|family| family.kind == "histogram") {
            let prefix = format!("{}_bucket{{le=\"", family.name);
            let lines = self.text.lines().filter_map(|line| line.strip_prefix(&prefix));
            let buckets: Vec<(f64, f64)> = lines
                .map(|line| line.split_once("\"} ").unwrap())
                .map(|(bound, value)| (bound.parse().unwrap(), value.parse().unwrap()))
                .collect();
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
            let (last, all) = *buckets.last().expect("buckets");
            assert!(last.is_infinite(), "{buckets:?}");
            let (count, sum) = (format!("{}_count", family.name), format!("{}_sum", family.name));
            assert!((self.get(&count) - all).abs() < 0.5, "{buckets:?}");
            assert!(self.get(&sum) > 0.0 || all < 0.5, "{buckets:?}");
        }
    }

    /// The number of a series such as `pushgate_gaps_total{what="inbox"}`, which must be there.
    #[track_caller]
    pub fn get(&self, series: &str) -> f64 {
        self.told(series).parse().unwrap()
    }

    /// The number of a series as a whole one.
    #[track_caller]
    pub fn count(&self, series: &str) -> u64 {
        let told = self.told(series);
        told.parse().unwrap_or_else(|_| panic!("{series} is {told}"))
    }

    #[track_caller]
    fn told(&self, series: &str) -> &str {
        self.samples.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// The counts of the series whose text begins like this.
    fn counts(&self, prefix: &str) -> impl Iterator<Item = (&String, u64)> {
        let range = self.samples.range(prefix.to_owned()..);
        range
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, told)| (name, told.parse().unwrap()))
    }

    /// The sum over all series whose text begins like this.
    pub fn sum(&self, prefix: &str) -> u64 {
        self.counts(prefix).map(|(_, count)| count).sum()
    }

    /// How much the series that begin like this have grown since `before`; those that have not are
    /// left out.
    pub fn since(&self, before: &Self, prefix: &str) -> BTreeMap<String, u64> {
        let before: BTreeMap<_, _> = before.counts(prefix).collect();
        self.counts(prefix)
            .map(|(name, count)| (name.clone(), count - before.get(name).unwrap_or(&0)))
            .filter(|(_, grown)| *grown > 0)
            .collect()
    }
}

fn key(name: &str, labels: &[(String, String)]) -> String {
    if labels.is_empty() {
        return name.to_owned();
    }
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// `a="b",c="d"`; no value of ours needs an escape.
fn labels_in(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for pair in text.split("\",").map(|pair| pair.trim_end_matches('"')) {
        let (name, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
        assert!(is_name(name) && !value.contains(['"', '\\', '\n']), "{text}");
        labels.push((name.to_owned(), value.to_owned()));
    }
    labels
}

fn check_name(family: &Family) {
    let Family { name, kind, .. } = family;
    assert!(is_name(name) && !kind.is_empty(), "{family:?}");
    assert!(name.starts_with("pushgate_") || name.starts_with("process_"), "{name}");
    for ending in ["_total", "_count", "_sum", "_bucket", "_info"] {
        assert!(!name.ends_with(ending), "{name}");
    }
    for unit in ["milliseconds", "_ms", "minutes", "kilobytes", "_kb", "percent"] {
        assert!(!name.contains(unit), "{name} has no base unit");
    }
    if kind == "histogram" {
        assert!(name.ends_with("_seconds") || name.ends_with("_bytes"), "{name}");
    }
}

fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    text.starts_with(plain) && text.chars().all(|c| plain(c) || c.is_ascii_digit())
}

/// The page once it pleases: what was just written to a socket is counted a moment later.
pub async fn scraped(node: &TestNode, what: &str, pleases: impl Fn(&Scrape) -> bool) -> Scrape {
    until(what, || Scrape::of(node), pleases).await
}

/// The page once a series has reached a number.
pub async fn reaches(node: &TestNode, series: &str, number: u64) -> Scrape {
    let scrape = scraped(node, series, |scrape| scrape.count(series) >= number).await;
    assert_eq!(scrape.count(series), number, "{series}");
    scrape
}

/// The series of deliveries.
pub fn delivered(transport: Transport, what: &str) -> String {
    format!("pushgate_deliveries_total{{transport=\"{}\",what=\"{what}\"}}", transport.verb())
}

/// The series of a metric of connections: `""` for those that are open.
pub fn connections(metric: &str, transport: Transport) -> String {
    format!("pushgate_connections{metric}{{transport=\"{}\"}}", transport.verb())
}

/// The series of connections that ended.
pub fn ended(transport: Transport, reason: &str) -> String {
    let verb = transport.verb();
    format!("pushgate_connections_ended_total{{transport=\"{verb}\",reason=\"{reason}\"}}")
}

/// Series and their numbers, as [`Scrape::since`] gives them.
pub fn series(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
    entries.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}
