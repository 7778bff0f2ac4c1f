//! The process of a node as the system sees it: what it uses, and what it is allowed.

use std::time::Duration;

use tokio::process::Command;

use super::node::TestNode;

/// The kernel counts processor time in hundredths of a second, whatever its own clock does.
const TICKS_A_SECOND: f64 = 100.0;

impl TestNode {
    /// The processor time that the node has used, on all its threads.
    pub fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // The name in parentheses may have anything in it.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|text| text.parse::<f64>().unwrap())
            .sum();
        Duration::from_secs_f64(ticks / TICKS_A_SECOND)
    }

    /// The bytes of memory that the node has in use.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most bytes of memory that the node ever had in use.
    pub fn most_resident(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The bytes of address space that the node has.
    pub fn address_space(&self) -> u64 {
        self.memory("VmSize:")
    }

    /// How many descriptors the node has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process_id())).unwrap().count()
    }

    /// Bounds what the node may have of something from now on, as `prlimit --WHAT=MOST`.
    pub async fn limit(&self, what: &str, most: u64) {
        let id = self.process_id().to_string();
        let limit = format!("--{what}={most}:{most}");
        let output = Command::new("prlimit").args(["--pid", &id, &limit]).output().await;
        let output = output.expect("prlimit is there: it is part of util-linux");
        assert!(output.status.success(), "{limit}: {output:?}");
    }

    fn memory(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process_id())).unwrap()
    }
}

/// As many descriptors for the tests themselves as the system allows, up to 4096: both ends of a
/// thousand connections need them, and a shell often allows 1024.
pub async fn raise_open_files() {
    let id = std::process::id().to_string();
    let arguments = ["--pid", &id, "--nofile=4096:"];
    let raised = Command::new("prlimit").args(arguments).output().await;
    if !raised.is_ok_and(|output| output.status.success()) {
        eprintln!("prlimit is not there to raise the number of open files");
    }
}
