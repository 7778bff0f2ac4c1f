//! The package as files, and what mono makes of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the package.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/unity")
}

/// The program that the tests run: the package, the stand-in for Unity, and the harness. Compiled
/// once.
pub fn harness() -> &'static Path {
    static HARNESS: OnceLock<PathBuf> = OnceLock::new();
    HARNESS.get_or_init(|| {
        let program = output("harness.exe");
        let mut sources = sources(&folder().join("Runtime"));
        sources.extend(self::sources(&stand_in().join("..")));
        compile(&program, &["-debug"], &sources);
        program
    })
}

/// The folder of the stand-in for Unity.
pub fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/unity/UnityEngine")
}

/// Where what is compiled goes.
pub fn output(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unity");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Compiles; a warning is an error.
pub fn compile(to: &Path, options: &[&str], sources: &[PathBuf]) {
    let mut compiler = Command::new("mcs");
    compiler
        .args(["-langversion:7.2", "-warn:4", "-warnaserror", "-codepage:utf8"])
        .args(["-r:System.Core.dll", "-r:System.Net.Http.dll"])
        .args(options)
        .arg(format!("-out:{}", to.display()))
        .args(sources);
    let told = compiler.output();
    let told = told.unwrap_or_else(|error| panic!("mcs: {error}; `make install` brings it"));
    let errors = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{}\n{errors}", String::from_utf8_lossy(&told.stdout));
    assert!(!errors.contains("warning"), "{errors}");
}

/// The C# files below a folder.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut sources: Vec<_> = entries(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "cs"))
        .collect();
    sources.sort();
    assert!(!sources.is_empty(), "nothing in {}", folder.display());
    sources
}

/// All files and folders below a folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(entries(&path));
        }
        found.push(path);
    }
    found
}
