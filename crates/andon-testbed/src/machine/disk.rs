//! Disks of a machine that a test may fill. The one that all machines share with this computer never is.

use std::fs::{self, File};
use std::io::{self, Write};

use super::{Machine, MachineError};

/// The file that [`Machine::fill_disk`] makes.
const FILLER: &str = ".andon-filler";

impl Machine {
    /// Puts an empty disk of `bytes` at `path`, until the next reboot.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when it cannot be mounted.
    pub fn small_disk(&self, path: &str, bytes: u64) -> Result<(), MachineError> {
        self.output(&format!("mkdir -p '{path}' && mount -t tmpfs -o mode=0755,size={bytes} small '{path}'"))
            .map(drop)
    }

    /// Fills the disk at `path` to the last byte. Only a [`small_disk`](Self::small_disk) is ever filled, never the one
    /// that all machines share with this computer.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when there is no small disk at `path`.
    pub fn fill_disk(&self, path: &str) -> Result<(), MachineError> {
        let fail = |why: &str| MachineError::Failed {
            command: format!("fill {path} of {}", self.name),
            output: why.to_owned(),
        };
        let filler = self.inside(&format!("{path}/{FILLER}"));
        let (Some(filler), Some(init)) = (filler, self.container.init()) else {
            return Err(fail("the machine has no power"));
        };
        let mounts = fs::read_to_string(format!("/proc/{init}/mounts")).unwrap_or_default();
        if !mounts.lines().any(|line| line.contains(&format!(" {path} tmpfs "))) {
            return Err(fail("there is no small disk"));
        }
        let mut filler = File::create(filler).map_err(MachineError::io("fill a disk"))?;
        let zeros = vec![0; 64 << 10];
        loop {
            match filler.write(&zeros) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(MachineError::io("fill a disk")(error)),
            }
        }
    }

    /// Undoes [`fill_disk`](Self::fill_disk).
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the machine does not answer.
    pub fn free_disk(&self, path: &str) -> Result<(), MachineError> {
        self.output(&format!("rm -f '{path}/{FILLER}'")).map(drop)
    }

    /// Moves what is below `path` to a small disk that is put there, with room for `free` more bytes, until the next
    /// reboot.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when it cannot be mounted, or does not hold what was there.
    pub fn move_to_small_disk(&self, path: &str, free: u64) -> Result<(), MachineError> {
        let kib = free >> 10;
        self.output(&format!(
            "mkdir -p /run/kept && cp -a '{path}/.' /run/kept/ && \
             used=$(du -sk '{path}' | cut -f1) && \
             mount -t tmpfs -o mode=0755,size=$((used + {kib}))k small '{path}' && \
             cp -a /run/kept/. '{path}/' && rm -r /run/kept"
        ))
        .map(drop)
    }
}
