//! The process as its metrics tell of it. Source: proc(5); without a `/proc` there is little to tell.

use std::fs;
use std::time::Duration;

/// Ticks a second in `/proc/self/stat`: what Linux shows to programs, whatever its own clock is.
const TICKS: u64 = 100;

/// CPU time, of the process and for it.
pub(super) fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program is in brackets and may hold anything; behind it comes the third field.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse);
    let ticks: u64 = ticks.collect::<Result<Vec<u64>, _>>().ok()?.into_iter().sum();
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Bytes of memory that are resident.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// How many file descriptors are open. Where the kernel does not keep count, each is looked at.
pub(super) fn open_descriptors() -> Option<u64> {
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        0 => u64::try_from(fs::read_dir(folder).ok()?.count()).ok(),
        count => Some(count),
    }
}

/// How many may be open.
pub(super) fn most_descriptors() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_all_of_it() {
        assert!(resident_bytes().unwrap() > 100_000);
        let before = open_descriptors().unwrap();
        let _open = fs::File::open("/proc/self/status").unwrap();
        assert!(before > 2 && before < most_descriptors().unwrap());
        assert!(cpu_time().is_some());
    }
}
