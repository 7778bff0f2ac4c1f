//! The package by itself: what Unity's import needs of it, what compiles, what its rules promise.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::package::{compile, entries, folder, harness, output, sources, stand_in};

#[test]
fn every_file_has_an_id_of_its_own() {
    let root = folder();
    let mut ids = BTreeMap::new();
    for path in entries(&root) {
        if path.extension().is_some_and(|extension| extension == "meta") {
            let of = path.with_extension("");
            assert!(of.exists(), "{} is of nothing", path.display());
            continue;
        }
        let meta = format!("{}.meta", path.display());
        let text = std::fs::read_to_string(&meta).unwrap_or_else(|error| panic!("{meta}: {error}"));
        let id = text.lines().find_map(|line| line.strip_prefix("guid: ")).unwrap().to_owned();
        let is_id = id.len() == 32 && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte));
        assert!(is_id && text.starts_with("fileFormatVersion: 2\n"), "{meta}: {text}");
        assert_eq!(text.contains("folderAsset: yes"), path.is_dir(), "{meta}");
        let other = ids.insert(id, path.clone());
        assert_eq!(other, None, "{} has the same", path.display());
    }
    assert!(ids.len() > 30, "{ids:?}");
}

#[test]
fn the_package_says_what_it_is() {
    let read = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let package: Value = serde_json::from_str(&read("package.json")).unwrap();
    assert_eq!(package["name"], "dev.pushgate.client");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(package["unity"], "2021.3");
    let assembly: Value = serde_json::from_str(&read("Runtime/Pushgate.asmdef")).unwrap();
    assert_eq!(assembly["name"], "Pushgate");
    // A page, as people read it.
    assert!(read("README.md").lines().count() < 70);
}

/// A missing docstring is a warning, and so an error, where documentation is made.
#[test]
fn the_core_needs_no_unity_and_all_of_it_is_documented() {
    let runtime = folder().join("Runtime");
    let mut core = sources(&runtime.join("Core"));
    core.extend(sources(&runtime.join("Net")));
    compile(&output("core.dll"), &["-target:library"], &core);

    let documentation = format!("-doc:{}", output("package.xml").display());
    let mut whole = sources(&runtime);
    whole.extend(sources(&stand_in()));
    // Members of the stand-in are Unity's to document.
    compile(&output("package.dll"), &["-target:library"], &whole);
    compile(&output("stand-in.dll"), &["-target:library"], &sources(&stand_in()));
    let reference = format!("-r:{}", output("stand-in.dll").display());
    let options = ["-target:library", &reference, &documentation];
    compile(&output("documented.dll"), &options, &sources(&runtime));
}

#[test]
fn it_compiles_as_for_a_browser_and_as_for_the_editor() {
    let mut whole = sources(&folder().join("Runtime"));
    whole.extend(sources(&stand_in()));
    let browser = ["-target:library", "-define:UNITY_WEBGL"];
    compile(&output("browser.dll"), &browser, &whole);
    let editor = ["-target:library", "-define:UNITY_WEBGL,UNITY_EDITOR"];
    compile(&output("editor.dll"), &editor, &whole);
}

#[test]
fn the_rules_hold_without_a_socket() {
    let told = Command::new("mono").arg("--debug").arg(harness()).arg("cases").output().unwrap();
    let printed = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{printed}\n{}", String::from_utf8_lossy(&told.stderr));
    let passed = printed.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(passed > 50 && passed == printed.lines().count(), "{printed}");
}

#[test]
fn the_browser_half_works_in_node() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = Command::new("node")
        .args(with_web_socket())
        .args(["--test", "--test-reporter=spec", "--test-timeout=60000"])
        .arg("tests/clients/unity/jslib.test.mjs")
        .current_dir(project)
        .env("PUSHGATE_BINARY", env!("CARGO_BIN_EXE_pushgate"))
        .output()
        .unwrap_or_else(|error| panic!("node: {error}; `make install` brings it"));
    let printed = String::from_utf8_lossy(&told.stdout);
    let complained = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{printed}\n{complained}");
    assert!(!printed.contains("ℹ pass 0"), "{printed}");
}

/// Node has a `WebSocket` of its own, before version 22 if it is asked for.
fn with_web_socket() -> &'static [&'static str] {
    let version = Command::new("node").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let major: u32 = version.trim_start_matches('v').split('.').next().unwrap().parse().unwrap();
    if major < 22 { &["--experimental-websocket"] } else { &[] }
}
