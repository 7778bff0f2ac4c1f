//! The machine: which CPU is the server's and which the load's, and how many sockets we may open.
//!
//! Done with `taskset`, `prlimit` and `setpriv` of util-linux, so that no `unsafe` is needed. Where
//! one is missing we say so and go on: the figures are then less steady, not wrong.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use tokio::time::Instant;

/// The CPUs we may use: the server's and the load's. The same one twice on a machine with one.
fn cpus() -> (u32, u32) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut all = allowed.unwrap_or("0").trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse().ok()?)
    });
    let mut each = all.by_ref().flatten();
    let server = each.next().unwrap_or(0);
    (server, each.next().unwrap_or(server))
}

/// Puts this process on the load's CPU. Call before `server_command`'s children are started or
/// after: they are put on theirs by name.
pub(crate) fn pin_load() {
    let (server, load) = SERVER_AND_LOAD.with(|cpus| *cpus);
    if server == load {
        eprintln!("bench: one CPU only: server and load share it");
    }
    run("taskset", &["-cp".into(), load.to_string(), std::process::id().to_string()]);
}

thread_local! {
    /// Read once, before we pin ourselves and see a single CPU only.
    static SERVER_AND_LOAD: (u32, u32) = cpus();
}

/// Raises the soft limit of open files to the hard one, for us and for what we start.
pub(crate) fn raise_descriptors() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let hard = files.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("unlimited");
    let us = std::process::id().to_string();
    run("prlimit", &["--pid".into(), us, format!("--nofile={hard}:{hard}")]);
}

/// How many sockets a process may hold at most, with some left for other files.
pub(crate) fn sockets() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = files.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.unwrap_or(usize::MAX).saturating_sub(200)
}

/// A command that runs `program` on the server's CPU and ends with us, however we end.
pub(crate) fn server_command(program: &OsStr) -> Command {
    let mut words: Vec<&OsStr> = Vec::new();
    let cpu = SERVER_AND_LOAD.with(|cpus| cpus.0.to_string());
    if exists("setpriv") {
        words.extend(["setpriv", "--pdeathsig", "KILL"].map(OsStr::new));
    }
    if exists("taskset") {
        words.extend(["taskset", "-c", cpu.as_str()].map(OsStr::new));
    }
    words.push(program);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// What others on this machine do meanwhile: CPU time that neither we nor our servers spent.
#[derive(Debug)]
pub(crate) struct Others {
    start: Instant,
    /// Clock ticks at the start: of everybody, and of us with our ended children.
    ticks: [u64; 2],
}

impl Others {
    /// Starts to watch.
    pub(crate) fn watch() -> Self {
        Self { start: Instant::now(), ticks: [busy_ticks(), own_ticks()] }
    }

    /// CPUs that others kept busy since the start, on average; asked when our servers have ended.
    pub(crate) fn cpus(&self) -> f64 {
        let [all, own] = self.ticks;
        let others = (busy_ticks() - all).saturating_sub(own_ticks() - own);
        // A tick is a hundredth of a second on every Linux that we know.
        others as f64 / 100.0 / self.start.elapsed().as_secs_f64()
    }
}

/// Ticks of all CPUs that were neither idle nor waiting for a disk.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let numbers = fields.take(8).map(|field| field.parse::<u64>().unwrap_or(0));
    numbers.enumerate().filter(|(field, _)| !matches!(field, 3 | 4)).map(|(_, ticks)| ticks).sum()
}

/// Ticks of this process and of its children that have ended.
fn own_ticks() -> u64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().unwrap_or(0)).sum()
}

fn exists(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

fn run(tool: &str, words: &[String]) {
    let status = Command::new(tool).args(words).stdout(Stdio::null()).status();
    if !status.is_ok_and(|status| status.success()) {
        eprintln!("bench: `{tool} {}` failed; going on without", words.join(" "));
    }
}
