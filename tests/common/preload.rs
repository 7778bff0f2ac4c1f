//! Libraries in C that are loaded into a node before the system's, to have it meet what is rare.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::Home;

/// The library of `source`, a file of the tests, compiled into `home`. Needs a C compiler.
pub fn compile(source: &str, home: &Home) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let library = home.path().join("library.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(compiled.expect("there is a C compiler").success());
    library
}
