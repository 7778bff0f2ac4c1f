//! What a process has used: CPU time of all its threads, and memory of its own.

use std::collections::HashMap;
use std::fs;
use std::io;

/// CPU time of a process at one moment, by thread.
#[derive(Debug)]
pub(crate) struct CpuTime {
    threads: HashMap<String, u64>,
}

impl CpuTime {
    /// Reads the time on CPU of each thread, in nanoseconds, user and system together.
    ///
    /// Source: the first field of `/proc/<pid>/task/<tid>/schedstat`. Clock ticks (`stat`) are 10 ms,
    /// too coarse for a burst.
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{process}/task"))? {
            let entry = entry?;
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else {
                continue;
            };
            let spent = text.split_whitespace().next().and_then(|field| field.parse().ok());
            let name = entry.file_name().to_string_lossy().into_owned();
            threads.insert(name, spent.ok_or_else(|| io::Error::other("no schedstat here"))?);
        }
        Ok(Self { threads })
    }

    /// Nanoseconds spent since `earlier`. A thread that has ended in between is not counted.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let spent = self.threads.iter().map(|(thread, now)| {
            now.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0))
        });
        spent.sum()
    }
}

/// Bytes of memory that the process itself asked for: anonymous pages, so neither its program text
/// nor the kernel's socket buffers.
pub(crate) fn own_memory(process: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let field = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = field.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("no Anonymous: in smaps_rollup"))
}
