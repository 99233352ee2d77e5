//! The network of one fleet: a bridge with a subnet of its own that leads nowhere else.

use std::process::Command;

use super::MachineError;
use super::command::{output, run};

/// How every bridge of the testbed begins; the rest of its name is its number.
const PREFIX: &str = "andon-";

/// The name of the bridge with this number.
pub(super) fn name(number: u8) -> String {
    format!("{PREFIX}{number}")
}

/// The start of all addresses behind the bridge with this number: `10.213.N.`.
fn subnet(number: u8) -> String {
    format!("10.213.{number}.")
}

/// Makes a bridge `andon-N` with the address `10.213.N.1/24` for an `N` that nobody uses, and returns `N`.
pub(super) fn make() -> Result<u8, MachineError> {
    let start = u8::try_from(std::process::id() % 256).unwrap_or(0);
    let routes = output(Command::new("ip").args(["-4", "route", "show"]))?;
    let mut refusal = MachineError::NoSubnet;
    for number in (0..=u8::MAX).map(|step| start.wrapping_add(step)) {
        if routes.contains(&subnet(number)) {
            continue;
        }
        match add(number) {
            Ok(()) => return Ok(number),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn add(number: u8) -> Result<(), MachineError> {
    let name = name(number);
    run(Command::new("ip").args(["link", "add", &name, "type", "bridge"]))?;
    let up = run(Command::new("ip").args(["addr", "add", &format!("{}1/24", subnet(number)), "dev", &name]))
        .and_then(|()| run(Command::new("ip").args(["link", "set", &name, "up"])));
    if up.is_err() {
        remove(number);
    }
    up
}

/// Removes the bridge with this number, if it is there.
pub(super) fn remove(number: u8) {
    // The only failure that can be met is that it is gone already.
    let _ = run(Command::new("ip").args(["link", "del", &name(number)]));
}

/// Removes a machine's interface, if it is there.
pub(super) fn unplug(link: &str) {
    // As with a bridge: it is gone already, or it goes now.
    let _ = run(Command::new("ip").args(["link", "del", link]));
}

/// The numbers of all bridges that carry both the name and the address that [`make`] gives.
pub(super) fn all() -> Vec<u8> {
    let addresses = output(Command::new("ip").args(["-4", "-oneline", "addr", "show"])).unwrap_or_default();
    addresses
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let number: u8 = words.nth(1)?.strip_prefix(PREFIX)?.parse().ok()?;
            (words.nth(1)? == format!("{}1/24", subnet(number))).then_some(number)
        })
        .collect()
}
