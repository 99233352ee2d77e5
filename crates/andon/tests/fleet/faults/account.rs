//! What came of one fault: a row of the table, as a line of JSON that `cargo xtask fleet` reads.

use std::time::Duration;

use andon_load::Tally;
use serde_json::json;

use super::fault::{Fault, Moment, Strike};

pub(super) struct Account {
    name: &'static str,
    what: String,
    pub(super) hosts: usize,
    pub(super) requests: u64,
    pub(super) lost: u64,
    /// What may be lost at most.
    pub(super) bearable: u64,
    pub(super) state: String,
    pub(super) said: String,
    pub(super) left_out: Vec<String>,
    /// From the end of the fault, or from its beginning when it lasts, to the end of the deployment or a pause.
    pub(super) reconciled: Option<Duration>,
    pub(super) lasts: bool,
    /// Why it did not end as it should.
    pub(super) failed: Option<String>,
}

impl Account {
    pub(super) fn of(fault: &Fault) -> Self {
        Self {
            name: fault.name,
            what: sentence(fault),
            hosts: 0,
            requests: 0,
            lost: 0,
            bearable: 0,
            state: String::new(),
            said: String::new(),
            left_out: Vec::new(),
            reconciled: None,
            lasts: !fault.strike.passes(),
            failed: None,
        }
    }

    pub(super) fn count(&mut self, tally: &Tally) {
        self.requests = tally.requests;
        self.lost = tally.failed;
    }

    pub(super) fn line(&self) -> String {
        json!({
            "fault": self.name, "what": self.what, "hosts": self.hosts, "requests": self.requests,
            "failed": self.lost, "bearable": self.bearable, "state": self.state, "said": self.said,
            "left_out": self.left_out, "lasts": self.lasts,
            "reconciled_seconds": self.reconciled.map(|time| time.as_secs_f64()), "wrong": self.failed,
        })
        .to_string()
    }
}

/// The fault in words.
fn sentence(fault: &Fault) -> String {
    let at = match fault.at {
        Moment::Before => "all the while",
        Moment::Prepare => "while it is prepared",
        Moment::Activate => "while it is activated",
        Moment::Verify => "while it is verified",
    };
    let what = match fault.strike {
        Strike::Reboot => "a host reboots".to_owned(),
        Strike::PowerCut { comes_back: true } => "a host loses its power, and gets it back".to_owned(),
        Strike::PowerCut { comes_back: false } => "a host loses its power for ever".to_owned(),
        Strike::NetworkCut(Some(time)) => format!("a host is off the network for {time:?}"),
        Strike::NetworkCut(None) => "a host is off the network for ever".to_owned(),
        Strike::BadNetwork(weather) if weather.late.is_zero() => {
            format!("{} % of the packets of a host are lost, both ways", weather.lost_percent)
        }
        Strike::BadNetwork(weather) => {
            format!("the packets of a host are {:?} late, both ways", weather.late)
        }
        Strike::FullDisk => "the disk of a host is full".to_owned(),
        Strike::CrashingRelease => "the new release crashes whenever it is started".to_owned(),
        Strike::MaskedUnit => "systemd of a host refuses the unit".to_owned(),
        Strike::SshdRestarted => "sshd of a host is restarted".to_owned(),
        Strike::SshdEnded => "sshd of a host is killed with all sessions and restarted".to_owned(),
        Strike::SudoAsks => "sudo of a host asks for a password".to_owned(),
        Strike::Clock(offset) => format!("the controller's clock is off by {offset}"),
        Strike::BalancerRestarted => "HAProxy is restarted".to_owned(),
        Strike::BalancerRebooted => "the machine of HAProxy reboots".to_owned(),
    };
    let it = match fault.strike {
        Strike::CrashingRelease => return what,
        Strike::BalancerRestarted | Strike::BalancerRebooted => at.replace("it is", "a host is"),
        _ => at.to_owned(),
    };
    format!("{what}, {it}")
}
