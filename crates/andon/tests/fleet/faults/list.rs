//! All faults, with the outcome that each must have.

use std::time::Duration;

use andon_testbed::machine::link::Weather;

use super::fault::{Fault, Loss, Moment, Strike};

/// For faults that pass: longer than any of them.
const PATIENT: &str = "90s";
/// For faults that last: as short as it may be.
const SHORT: &str = "12s";

const GOES_ON: Fault = Fault {
    name: "",
    at: Moment::Before,
    strike: Strike::Reboot,
    ends: &["succeeded"],
    victim: &["succeeded"],
    says: &["succeeded"],
    loses: Loss::Nothing,
    window: PATIENT,
    long: false,
};

/// A host that stays away is left out and named; the budget bears one.
const WITHOUT_IT: Fault = Fault {
    victim: &["unreachable"],
    says: &["succeeded", "without web2", "web2 unreachable: "],
    window: SHORT,
    ..GOES_ON
};

/// In an order that a person reads. The full disk comes last, as it lasts until the machine boots.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "reboot-prepare",
        at: Moment::Prepare,
        strike: Strike::Reboot,
        loses: Loss::UnderWay,
        ..GOES_ON
    },
    Fault { name: "reboot-activate", at: Moment::Activate, strike: Strike::Reboot, ..GOES_ON },
    Fault { name: "reboot-verify", at: Moment::Verify, strike: Strike::Reboot, ..GOES_ON },
    Fault {
        name: "power-cut",
        at: Moment::Activate,
        strike: Strike::PowerCut { comes_back: true },
        ..GOES_ON
    },
    Fault {
        name: "power-gone",
        at: Moment::Activate,
        strike: Strike::PowerCut { comes_back: false },
        ..WITHOUT_IT
    },
    Fault {
        name: "network-10s",
        at: Moment::Activate,
        strike: Strike::NetworkCut(Some(Duration::from_secs(10))),
        ..GOES_ON
    },
    Fault {
        name: "network-gone",
        at: Moment::Activate,
        strike: Strike::NetworkCut(None),
        long: true,
        ..WITHOUT_IT
    },
    Fault {
        name: "loss",
        strike: Strike::BadNetwork(Weather { lost_percent: 20, late: Duration::ZERO }),
        victim: &["succeeded", "unreachable", "failed", "reverted", "revert_failed"],
        loses: Loss::ThroughVictim,
        ..GOES_ON
    },
    Fault {
        name: "delay",
        strike: Strike::BadNetwork(Weather { lost_percent: 0, late: Duration::from_millis(300) }),
        ..GOES_ON
    },
    Fault {
        name: "crash-loop",
        strike: Strike::CrashingRelease,
        ends: &["rolled_back"],
        victim: &["cancelled"],
        says: &["was rolled back", "web1, in the first wave", "ends again and again"],
        ..GOES_ON
    },
    Fault {
        name: "unit-refused",
        at: Moment::Prepare,
        strike: Strike::MaskedUnit,
        victim: &["revert_failed"],
        says: &["without web2", "web2 revert failed", "masked"],
        ..GOES_ON
    },
    Fault { name: "sshd-restarted", at: Moment::Verify, strike: Strike::SshdRestarted, ..GOES_ON },
    Fault { name: "sshd-ended", at: Moment::Verify, strike: Strike::SshdEnded, ..GOES_ON },
    Fault {
        name: "sudo-before",
        strike: Strike::SudoAsks,
        victim: &["unreachable"],
        says: &["without web2", "web2 unreachable", "password", "NOPASSWD"],
        ..GOES_ON
    },
    Fault {
        name: "sudo-amid",
        at: Moment::Verify,
        strike: Strike::SudoAsks,
        says: &["without web2", "web2 unreachable: ", "NOPASSWD"],
        ..WITHOUT_IT
    },
    Fault { name: "clock-ahead", strike: Strike::Clock("+1d"), ..GOES_ON },
    Fault { name: "clock-behind", strike: Strike::Clock("-1d"), ..GOES_ON },
    Fault {
        name: "haproxy-restarted",
        at: Moment::Activate,
        strike: Strike::BalancerRestarted,
        loses: Loss::Outage,
        ..GOES_ON
    },
    Fault {
        name: "haproxy-rebooted",
        at: Moment::Verify,
        strike: Strike::BalancerRebooted,
        loses: Loss::Outage,
        ..GOES_ON
    },
    Fault {
        name: "disk-full",
        at: Moment::Prepare,
        strike: Strike::FullDisk,
        victim: &["failed"],
        says: &["without web2", "web2 failed", "No space left on device"],
        ..GOES_ON
    },
];
