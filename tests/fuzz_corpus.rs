//! The fuzz targets of `fuzz/` over the corpora that are kept there, without a fuzzer: each of these
//! inputs is a case that somebody thought of, or one that a fuzzer found.

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

use pushgate::fuzz;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 7] = [
    ("frames", fuzz::frames),
    ("channel_name", fuzz::channel_name),
    ("form", fuzz::form),
    ("json", fuzz::json),
    ("since", fuzz::since),
    ("token", fuzz::token),
    ("forwarded", fuzz::forwarded),
];

#[test]
fn every_target_holds_over_its_corpus() {
    for (name, target) in TARGETS {
        let inputs = files(&folder().join("corpus").join(name));
        assert!(inputs.len() >= 10, "{name} has only {} inputs", inputs.len());
        for input in inputs {
            let data = std::fs::read(&input).unwrap();
            // The fuzzer's own output would not say which file it was.
            let held = std::panic::catch_unwind(|| target(&data));
            assert!(held.is_ok(), "{} does not hold", input.display());
        }
    }
}

#[test]
fn every_target_is_known_here_and_to_the_fuzzer() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |folder: PathBuf| -> BTreeSet<String> {
        let stem = |file: &PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
        files(&folder).iter().map(stem).collect()
    };
    assert_eq!(names(folder().join("fuzz_targets")), known);
    assert_eq!(names(folder().join("corpus")), known);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &known {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("{}: {error}", folder.display());
    });
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
