//! The arrows of style.md §2, read from the `crate::` paths in `src`: a part uses what is below it,
//! and nothing beside or above it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    unreachable_pub,
    reason = "a test fails by panicking"
)]
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The parts from the top down; those in one row do not import each other.
const ROWS: [&[&str]; 7] = [
    &["server"],
    &["gate"],
    &["hooks"],
    &["hub"],
    &["worker", "engine", "presence"],
    &["transport", "dialect", "store", "identity"],
    &["channel", "code", "config"],
];

/// What belongs to no row: the process itself on top, and what everyone may use.
const TOP: [&str; 4] = ["main", "lib", "command", "fuzz"];
const SHARED: [&str; 2] = ["metrics", "wheel"];

#[test]
fn arrows_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for file in rust_files(&source) {
        let part = part_of(&source, &file);
        if TOP.contains(&part.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for used in parts_used(&text) {
            let shared = SHARED.contains(&used.as_str());
            let allowed = used == part
                || (shared && !SHARED.contains(&part.as_str()))
                || matches!((row(&part), row(&used)), (Some(own), Some(other)) if own < other);
            if !allowed {
                wrong.push(format!("{} ({part}) uses {used}", file.display()));
            }
        }
        seen.insert(part);
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
    for part in ["gate", "hub", "worker", "presence", "transport", "identity", "channel"] {
        assert!(seen.contains(part), "{part} was not found: {seen:?}");
    }
}

#[test]
fn every_part_has_its_place() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let parts: BTreeSet<String> =
        rust_files(&source).iter().map(|file| part_of(&source, file)).collect();
    for part in &parts {
        let known =
            row(part).is_some() || TOP.contains(&part.as_str()) || SHARED.contains(&part.as_str());
        assert!(known, "{part} is on no row of style.md §2");
    }
}

#[test]
fn a_kind_is_one_small_file_that_knows_no_way_in_or_out() {
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channel/kind");
    let files = rust_files(&kinds);
    assert!(files.len() > 6, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() < 150, "{} is long", file.display());
        for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()) {
            let is_way = ["socket", "transport", "http"].iter().any(|way| word.contains(way))
                || ["ws", "sse", "tcp"].contains(&word);
            assert!(!is_way, "{} names {word}", file.display());
        }
    }
}

#[test]
fn nothing_below_the_gate_knows_http() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for part in ["hub", "presence", "engine", "identity", "channel", "dialect", "store", "code"] {
        for file in rust_files(&source.join(part)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for line in code_lines(&text) {
                for name in ["axum", "hyper", "hyper_util", "http"] {
                    let used = line.starts_with(&format!("use {name}::"))
                        || line.starts_with(&format!("use {name};"));
                    assert!(!used, "{} knows HTTP: {line}", file.display());
                }
            }
        }
    }
}

#[test]
fn paths_are_read_from_every_form_of_use() {
    let text = "use crate::channel::Name;\nuse crate::{code::Close, config, engine as e};\n\
                // crate::comment is none\nlet it = crate::hub::Hub::new();\npub(crate) fn f() {}\n\
                use crate::{\n    presence::{Map, page},\n    store,\n};\n\
                #[cfg(test)]\nmod tests { use crate::server; }";
    let expected = ["channel", "code", "config", "engine", "hub", "presence", "store"];
    assert_eq!(parts_used(text), expected.map(str::to_owned).into());
}

fn row(part: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&part))
}

/// The folder or file right below `src` that a file belongs to.
fn part_of(source: &Path, file: &Path) -> String {
    let below = file.strip_prefix(source).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines before the tests of a file, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.starts_with("//"))
}

/// The parts named after `crate::` in a file.
fn parts_used(text: &str) -> BTreeSet<String> {
    let code = code_lines(text).collect::<Vec<_>>().join("\n");
    let mut parts = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let before = code.get(..at).and_then(|before| before.chars().last());
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        let after = code.get(at + found.len()..).unwrap_or_default();
        match after.strip_prefix('{') {
            Some(group) => parts.extend(first_names(group)),
            None => {
                parts.insert(name_at(after));
            }
        }
    }
    // An item of the crate's root begins in upper case.
    parts.retain(|part| part.chars().next().is_some_and(char::is_lowercase));
    parts
}

/// The first names in a group, up to the brace that ends it.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut start) = (0_u32, true);
    let mut names = Vec::new();
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !letter.is_whitespace() => {
                names.push(name_at(group.get(at..).unwrap_or_default()));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}
