//! The directory of one supervised instance, `<root>/.andon/run/<instance>`: how a supervisor and the agents that
//! come later speak with each other. Holds `command.json`, `status.json`, `lock` and `log`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use andon_core::host::Placement;
use andon_core::name::InstanceName;
use andon_core::release::ReleaseId;
use andon_core::vitals::Exit;
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::order::Order;
use super::process::{self, ProcessId};
use crate::durable;

/// The most that is read of a file that a supervisor or an agent wrote.
const MAX_FILE: u64 = 4 << 20;

/// What a supervisor says about itself and its instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The run of the machine in which this was written. Numbers of processes mean nothing in another one.
    pub(crate) boot_id: String,
    /// The supervisor.
    pub(crate) supervisor: ProcessId,
    /// The instance's process, while there is one.
    pub(crate) child: Option<ProcessId>,
    /// What it was told to run.
    pub(crate) release: ReleaseId,
    /// Times that the process was started again after an unexpected end.
    pub(crate) restarts: u32,
    /// How the process ended last, as the end of a sentence: `ended with exit code 1`.
    pub(crate) last_end: Option<String>,
    /// Times that the process ended although nobody had told it to. `None` from a supervisor that does not count.
    #[serde(default)]
    pub(crate) ends: Option<u32>,
    /// How it ended last then.
    #[serde(default)]
    pub(crate) last_exit: Option<Exit>,
    /// Whether it ends again and again.
    pub(crate) crash_looping: bool,
    /// Why the very first start failed. The supervisor has given up then.
    pub(crate) failure: Option<String>,
}

impl Status {
    /// The instance's process, if it lives.
    pub(crate) fn living_child(&self) -> Option<ProcessId> {
        self.child.filter(|child| child.is_alive())
    }
}

/// The directory of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunDirectory(PathBuf);

impl RunDirectory {
    /// That of `instance`.
    pub(crate) fn of(placement: &Placement, instance: &InstanceName) -> Self {
        Self(run_root(placement).join(instance.as_str()))
    }

    /// The one at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// All that exist for `placement`, those of instances included that it no longer has.
    pub(crate) fn existing(placement: &Placement) -> Vec<(InstanceName, Self)> {
        let Ok(entries) = fs::read_dir(run_root(placement)) else { return Vec::new() };
        let mut found: Vec<(InstanceName, Self)> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| {
                let name = InstanceName::new(entry.file_name().into_string().ok()?).ok()?;
                Some((name, Self(entry.path())))
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The newest output of the instance.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Makes the directory, readable by its owner only: the environment of a process may hold secrets.
    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// What the supervisor is to run.
    pub(crate) fn order(&self) -> Option<Order> {
        read_json(&self.0.join("command.json"))
    }

    /// Writes what the supervisor is to run.
    pub(crate) fn write_order(&self, order: &Order) -> io::Result<()> {
        durable::replace(&self.0.join("command.json"), &serde_json::to_vec(order)?)
    }

    /// Takes away what the supervisor was to run, so that it cannot be started again.
    pub(crate) fn forget_order(&self) {
        let _ = fs::remove_file(self.0.join("command.json"));
    }

    /// What the last supervisor said, unless that was before a reboot.
    pub(crate) fn status(&self) -> Option<Status> {
        read_json::<Status>(&self.0.join("status.json")).filter(|status| status.boot_id == process::boot_id())
    }

    /// Says what is the case.
    pub(crate) fn write_status(&self, status: &Status) -> io::Result<()> {
        durable::replace(&self.0.join("status.json"), &serde_json::to_vec(status)?)
    }

    /// Takes away what an earlier supervisor said.
    pub(crate) fn forget_status(&self) -> io::Result<()> {
        match fs::remove_file(self.0.join("status.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the lock that a supervisor holds for as long as it lives. `None` when another one holds it.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.0.join("lock"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a supervisor lives.
    pub(crate) fn is_held(&self) -> bool {
        self.0.join("lock").exists() && matches!(self.lock(), Ok(None))
    }

    /// The last `max` bytes of the instance's output, as they are.
    pub(crate) fn log_tail(&self, max: u64) -> Vec<u8> {
        let mut tail = Vec::new();
        let Ok(mut file) = File::open(self.log()) else { return tail };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if file.seek(SeekFrom::Start(length.saturating_sub(max))).is_ok() {
            let _ = file.take(max).read_to_end(&mut tail);
        }
        tail
    }
}

fn run_root(placement: &Placement) -> PathBuf {
    placement.root.join(".andon").join("run")
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
