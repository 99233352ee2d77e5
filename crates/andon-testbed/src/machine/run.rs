//! What one fleet has made on this computer: a number, a bridge, and a directory that says whose it is.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::leftovers::unmount_below;
use super::{MachineError, bridge, root};

/// The file in a run's directory that names the process it belongs to.
const OWNER: &str = "owner";

/// A fleet's number and directory; both are free again when it is dropped.
#[derive(Debug)]
pub(super) struct Run {
    number: u8,
    directory: PathBuf,
}

impl Run {
    /// Takes a free number and makes the bridge and the directory for it.
    pub(super) fn begin() -> Result<Self, MachineError> {
        let _lock = lock()?;
        let number = bridge::make()?;
        let run = Self { number, directory: directory(number) };
        fs::create_dir_all(&run.directory)
            .and_then(|()| fs::write(run.directory.join(OWNER), Owner::myself().to_line()))
            .map_err(MachineError::io(format!("make {}", run.directory.display())))?;
        Ok(run)
    }

    /// All runs on this computer whose process has ended without cleaning up. To be called with the [`lock`] held.
    pub(super) fn abandoned() -> Vec<Self> {
        let entries = fs::read_dir(directory_of_all()).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u8>().ok());
        let mut abandoned: Vec<u8> = numbers.filter(|number| !is_owned(&directory(*number))).collect();
        abandoned.extend(bridge::all().into_iter().filter(|number| !directory(*number).exists()));
        abandoned.into_iter().map(|number| Self { number, directory: directory(number) }).collect()
    }

    /// The directory for everything that belongs to this run.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number that no other run on this computer has.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// The address of the machine with the number `machine`, from 1.
    pub(super) fn address(&self, machine: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, u8::try_from(10 + machine).unwrap_or(u8::MAX))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        unmount_below(&self.directory);
        // What cannot be removed now is an abandoned run to the next boot, which tries again.
        let _ = fs::remove_dir_all(&self.directory);
        bridge::remove(self.number);
    }
}

/// Keeps other processes from beginning or cleaning up runs until it is dropped.
pub(super) fn lock() -> Result<File, MachineError> {
    let all = directory_of_all();
    fs::create_dir_all(&all).map_err(MachineError::io(format!("make {}", all.display())))?;
    let lock = File::create(all.join("lock")).map_err(MachineError::io("open the lock of the runs"))?;
    lock.lock().map_err(MachineError::io("lock the runs"))?;
    Ok(lock)
}

fn directory_of_all() -> PathBuf {
    root::cache().join("runs")
}

fn directory(number: u8) -> PathBuf {
    directory_of_all().join(number.to_string())
}

/// A process, told apart from a later one with the same id by when it started.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    pid: u32,
    /// Clock ticks between the boot of this computer and the start of the process.
    started: String,
}

impl Owner {
    fn myself() -> Self {
        let pid = std::process::id();
        Self { pid, started: start_time(pid).unwrap_or_default() }
    }

    fn to_line(&self) -> String {
        format!("{} {}", self.pid, self.started)
    }

    fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }
}

fn is_owned(directory: &Path) -> bool {
    let line = fs::read_to_string(directory.join(OWNER)).unwrap_or_default();
    let Some((pid, started)) = line.trim().split_once(' ') else { return false };
    pid.parse().is_ok_and(|pid| Owner { pid, started: started.to_owned() }.is_alive())
}

/// The 22nd field of `/proc/PID/stat`, counted behind the name, which may hold spaces.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_owns_its_run_and_one_that_reuses_its_id_does_not() {
        let myself = Owner::myself();
        assert!(myself.is_alive());
        let earlier = Owner { pid: myself.pid, started: "1".to_owned() };
        assert!(!earlier.is_alive());
    }
}
