//! A bad network between one machine and all others: packets that get lost, packets that are late.
//!
//! The kernel's own `netem` is missing from many kernels. Here a small program takes the place of the cable: it passes
//! every packet of the machine on, or does not, after a while.

use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::command::run;
use super::{Machine, MachineError};
use crate::deadline::wait_until;
use crate::program::require;

/// The program in the place of the cable.
const CABLE: &str = include_str!("link/cable.py");

/// How long the program may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What happens to packets, in each of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// Of a hundred packets, those that get lost.
    pub lost_percent: u8,
    /// How late the others are.
    pub late: Duration,
}

/// A machine behind a bad cable. Dropping it puts the good one back.
#[derive(Debug)]
pub struct BadLink<'a> {
    machine: &'a Machine,
    cable: Child,
}

impl Machine {
    /// Puts a bad cable between the machine and all others, until the returned value is dropped or the machine loses
    /// its power.
    ///
    /// # Errors
    /// [`MachineError::Failed`] when the machine has no power or this computer has no `/dev/net/tun`.
    pub fn bad_link(&self, weather: Weather) -> Result<BadLink<'_>, MachineError> {
        require(&["python3", "ip"])?;
        let (link, bridge) = (self.container.link(), self.container.bridge());
        let tap = link.replacen("vb-", "ta-", 1);
        let cable = Command::new("python3")
            .args(["-c", CABLE, link, &tap])
            .args([weather.lost_percent.to_string(), weather.late.as_secs_f64().to_string()])
            // It ends when this end is closed, in whatever way this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(MachineError::io("start the cable"))?;
        let bad = BadLink { machine: self, cable };
        let there = Path::new("/sys/class/net").join(&tap);
        if !wait_until(START_LIMIT, || there.exists()) {
            return Err(self.timed_out("get a bad cable"));
        }
        run(Command::new("ip").args(["link", "set", &tap, "master", bridge, "up"]))?;
        // Its packets reach nobody any more but the cable: no port of the bridge, and no answers of this computer.
        run(Command::new("ip").args(["link", "set", link, "nomaster", "arp", "off"]))?;
        Ok(bad)
    }
}

impl Drop for BadLink<'_> {
    fn drop(&mut self) {
        // The two failures are "has ended already" and "was waited for already".
        let _ = self.cable.kill();
        let _ = self.cable.wait();
        let container = &self.machine.container;
        let (link, bridge) = (container.link(), container.bridge());
        // It fails only for a machine that has lost its power, which gets a good cable with the next boot.
        let _ = run(Command::new("ip").args(["link", "set", link, "arp", "on", "master", bridge]));
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} % of all packets lost and the others {:?} late, both ways",
            self.lost_percent, self.late
        )
    }
}
