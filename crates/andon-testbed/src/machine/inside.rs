//! What is on a machine, seen from outside: without a connection, so at once and whatever its network does.

use std::path::PathBuf;

use rustix::process::Signal;

use super::{BOOT_LIMIT, Machine, MachineError};
use crate::deadline::wait_until;
use crate::process;

impl Machine {
    /// Where the file or directory at the absolute `path` of the machine is for this computer; `None` without power.
    pub fn inside(&self, path: &str) -> Option<PathBuf> {
        let root = PathBuf::from(format!("/proc/{}/root", self.container.init()?));
        Some(root.join(path.trim_start_matches('/')))
    }

    /// The last lines of its console, for a person who wonders why a test failed.
    pub fn console(&self) -> String {
        self.container.console()
    }

    /// Begins an orderly reboot at once, as the three keys do, and waits for nothing.
    pub fn press_reboot(&self) {
        // Without power nothing happens, as with a keyboard.
        if let Some(init) = self.container.init() {
            process::send(init, Signal::INT);
        }
    }

    /// Waits until the machine is up with another boot id than `before`.
    ///
    /// # Errors
    /// [`MachineError::TimedOut`] when it does not come back.
    pub fn wait_for_reboot(&self, before: &str) -> Result<(), MachineError> {
        if !wait_until(BOOT_LIMIT, || self.boot_id().is_ok_and(|now| now != before)) {
            return Err(self.timed_out("reboot"));
        }
        self.wait_until_up()
    }
}
