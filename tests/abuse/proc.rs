//! What `/proc` says of the gateway.

use std::{fs, io};

/// How many sockets a process holds, those that listen included.
pub(crate) fn sockets(process: u32) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        // One that was closed meanwhile has no target any more.
        let target = fs::read_link(entry?.path()).unwrap_or_default();
        count += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(count)
}

/// Bytes of memory that a process has to itself.
pub(crate) fn anonymous_bytes(process: u32) -> io::Result<usize> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    number.map(|kb| kb * 1024).ok_or_else(|| io::Error::other("no line `Anonymous`"))
}
