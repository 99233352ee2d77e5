//! What the kernel says of the whole host.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_core::name::InstanceName;
use andon_core::quantity::ByteSize;
use andon_core::vitals::{Counter, HostVitals, InstanceVitals, Life, Room};

use crate::release::space;
use crate::run::process;

/// All that is known of this host, with these instances on it.
pub(super) fn vitals(root: &Path, instances: BTreeMap<InstanceName, InstanceVitals>) -> HostVitals {
    let boot_id = process::boot_id();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let oom_kills = number(&read("/proc/vmstat"), "oom_kill ")
        .map(|value| Counter { value, life: Life::of(&[&boot_id, "oom_kill"]) });
    HostVitals {
        boot_id,
        uptime: Duration::from_millis(process::ticks_since_boot().unwrap_or(0).saturating_mul(10)),
        instances,
        disk: disk(root),
        memory: memory(&read("/proc/meminfo")),
        load: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()),
        processors: std::thread::available_parallelism()
            .map_or(0, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)),
        oom_kills,
    }
}

fn disk(root: &Path) -> Option<Room> {
    let found = rustix::fs::statvfs(space::existing(root)).ok()?;
    let size = |blocks: u64| ByteSize(blocks.saturating_mul(found.f_frsize));
    // What is kept for root is not there for services.
    let kept = found.f_bfree.saturating_sub(found.f_bavail);
    Some(Room { free: size(found.f_bavail), total: size(found.f_blocks.saturating_sub(kept)) })
}

fn memory(meminfo: &str) -> Option<Room> {
    let kibibytes = |name: &str| number(meminfo, name).map(|number| ByteSize(number.saturating_mul(1024)));
    Some(Room { free: kibibytes("MemAvailable:")?, total: kibibytes("MemTotal:")? })
}

/// The number in the line that begins with `name`.
pub(super) fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let text = "MemTotal:  2048 kB\nMemFree: 7 kB\nMemAvailable:   1024 kB\n";
        let room = memory(text).unwrap();
        assert_eq!((room.free, room.total), (ByteSize(1 << 20), ByteSize(2 << 20)));
        assert_eq!(memory("MemTotal: 5 kB\n"), None, "old kernels do not say what is available");
        assert_eq!(number("oom_kill_disable 0\noom_kill 3\n", "oom_kill "), Some(3));
    }

    #[test]
    fn this_machine_says_what_it_has() {
        let here = vitals(Path::new("/nonexistent/andon"), BTreeMap::new());
        assert!(here.uptime > Duration::ZERO && !here.boot_id.is_empty() && here.processors > 0);
        let (disk, memory) = (here.disk.unwrap(), here.memory.unwrap());
        assert!(disk.free <= disk.total && memory.free <= memory.total && memory.total.0 > 0);
    }
}
