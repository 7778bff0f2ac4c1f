//! Where a durable gateway keeps its data: on a disk that a sync has to wait for, or beside none.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// File systems that lie in memory: a sync there waits for nothing.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// A folder, and what it lies on.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    device: String,
    file_system: String,
}

impl Disk {
    /// A real one: that of the folder which `BENCH_DISK` names, or of our own binary.
    ///
    /// # Errors
    /// One that lies in memory.
    pub(crate) fn real() -> io::Result<Self> {
        let named = std::env::var_os("BENCH_DISK").map(PathBuf::from);
        let ours = std::env::current_exe()?.parent().map(Path::to_owned);
        let path = named.or(ours).ok_or_else(|| io::Error::other("no folder: set BENCH_DISK"))?;
        let disk = Self::of(&path)?;
        if disk.is_in_memory() {
            let what = format!("{disk} is no disk: BENCH_DISK names a folder on one");
            return Err(io::Error::other(what));
        }
        Ok(disk)
    }

    /// One in memory, where the system has it.
    pub(crate) fn in_memory() -> Option<Self> {
        Self::of(Path::new("/dev/shm")).ok().filter(Self::is_in_memory)
    }

    /// Source: proc(5), `/proc/pid/mounts`: device, place and kind of each.
    fn of(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let mounts = std::fs::read_to_string("/proc/self/mounts")?;
        let mounts = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ');
            Some([fields.next()?, fields.next()?, fields.next()?])
        });
        let over = mounts.filter(|[_, place, _]| path.starts_with(place));
        // What was mounted last at a place is what is there.
        let own = over.max_by_key(|[_, place, _]| place.len());
        let [device, _, file_system] = own.unwrap_or(["?", "/", "?"]).map(str::to_owned);
        Ok(Self { path, device, file_system })
    }

    fn is_in_memory(&self) -> bool {
        IN_MEMORY.contains(&self.file_system.as_str())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} on {})", self.path.display(), self.file_system, self.device)
    }
}
