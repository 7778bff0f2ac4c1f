//! What is said of the metrics elsewhere: the table in `ARCHITECTURE.md`, and the dashboard.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::node::TestNode;
use common::scrape::{Family, Scrape};
use serde_json::Value;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Names such as `pushgate_clients` in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = |word: &&str| word.starts_with("pushgate_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

/// The families of a page by the names of their samples.
fn by_name(scrape: &Scrape) -> BTreeMap<String, Family> {
    scrape.families.iter().map(|family| (family.sample_name(), family.clone())).collect()
}

#[tokio::test]
async fn every_metric_has_its_row_in_the_architecture() {
    let scrape = Scrape::of(&TestNode::start().await).await;
    let families = by_name(&scrape);
    let text = file("ARCHITECTURE.md");
    let (_, section) = text.split_once("\n## Metrics\n").expect("a section of metrics");
    let section = section.split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, help] = cells[..] else { panic!("{line}") };
        rows.insert(name.trim_matches('`').to_owned(), (kind, labels, help));
    }
    for (name, family) in &families {
        let (kind, labels, help) = *rows.get(name).unwrap_or_else(|| panic!("{name} has no row"));
        assert_eq!((kind, help), (family.kind.as_str(), family.help.as_str()), "{name}");
        let labels: BTreeSet<_> =
            labels.split(", ").map(|label| label.trim_matches('`')).map(str::to_owned).collect();
        let none = BTreeSet::from(["–".to_owned()]);
        let expected = if family.labels.is_empty() { &none } else { &family.labels };
        assert_eq!(&labels, expected, "{name}");
    }
    let known: BTreeSet<_> = families.keys().cloned().collect();
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), known, "rows of what is not told");
    assert_eq!(names_in(&file("src/metrics/mod.rs")), known, "what the table in the code names");
}

#[tokio::test]
async fn the_dashboard_shows_every_metric_and_none_that_is_not_told() {
    let scrape = Scrape::of(&TestNode::start().await).await;
    let families = by_name(&scrape);
    let mut unseen: BTreeSet<_> = families.keys().cloned().collect();
    for target in targets() {
        let expression = target["expr"].as_str().unwrap();
        let mut labels = BTreeSet::from(["instance".to_owned(), "job".to_owned()]);
        for name in names_in(expression) {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let of_histogram = base.filter(|base| families.get(*base).is_some_and(is_histogram));
            let name = of_histogram.map_or(name.clone(), str::to_owned);
            let family = families.get(&name).unwrap_or_else(|| panic!("{name} is not told"));
            assert!(!is_histogram(family) || of_histogram.is_some(), "{expression}");
            labels.extend(family.labels.iter().cloned());
            if is_histogram(family) {
                labels.insert("le".to_owned());
            }
            unseen.remove(&name);
        }
        let legend = target["legendFormat"].as_str().unwrap();
        for part in legend.split("{{").skip(1) {
            let label = part.split("}}").next().unwrap();
            assert!(labels.contains(label), "{label} of {legend} is no label in {expression}");
        }
        assert!(expression.contains("instance=~\"$instance\""), "{expression}");
    }
    assert!(unseen.is_empty(), "on no panel: {unseen:?}");
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    assert!(dashboard["id"].is_null(), "the id belongs to the one who imports");
    assert!(dashboard.get("__inputs").is_none(), "nothing is asked for");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(
        (&variables[0]["name"], &variables[0]["type"]),
        (&"datasource".into(), &"datasource".into())
    );
    assert_eq!(variables[0]["query"], "prometheus");
    let source = serde_json::json!({ "type": "prometheus", "uid": "${datasource}" });
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], source);
    }
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id comes twice: {panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && cells.insert((x, y)), "panels overlap: {}", panel["title"]);
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"], source, "{}", panel["title"]);
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
        }
    }
    for target in targets() {
        assert_eq!(target["datasource"], source);
    }
}

fn is_histogram(family: &Family) -> bool {
    family.kind == "histogram"
}

fn dashboard() -> Value {
    serde_json::from_str(&file("contrib/grafana/pushgate.json")).unwrap()
}

/// The queries of all panels.
fn targets() -> Vec<Value> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten().cloned().collect()
}
