//! A fault in a few words: when it strikes, what it is, how the deployment must end, and what users may lose by it.
//!
//! The outcomes are decided here, beforehand; why so is told in `docs/design/faults.md`.

use std::time::Duration;

use andon_testbed::machine::link::Weather;

/// One fault.
pub(super) struct Fault {
    /// One word for it, which a person types.
    pub(super) name: &'static str,
    /// When it strikes the victim, a host of the second wave.
    pub(super) at: Moment,
    pub(super) strike: Strike,
    /// The states in which the deployment may end.
    pub(super) ends: &'static [&'static str],
    /// The states in which the victim may be then; empty where nothing was recorded.
    pub(super) victim: &'static [&'static str],
    /// What the person must have read.
    pub(super) says: &'static [&'static str],
    /// What users may lose.
    pub(super) loses: Loss,
    /// How long a lost host is called again.
    pub(super) window: &'static str,
    /// Whether it takes a minute and shows little that another one does not: it is left to a person's command.
    pub(super) long: bool,
}

/// When a fault strikes. All are facts on the host itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the deployment begins.
    Before,
    /// While the victim receives and unpacks the release; it serves.
    Prepare,
    /// While the victim's old process is being ended; it is drained.
    Activate,
    /// While the production tests of the victim run; it is drained.
    Verify,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// The machine reboots in good order.
    Reboot,
    /// Its plug is pulled, and perhaps put back.
    PowerCut { comes_back: bool },
    /// Its packets vanish, for so long or for ever.
    NetworkCut(Option<Duration>),
    /// Its network is bad from then on.
    BadNetwork(Weather),
    /// Its disk is filled to the last byte.
    FullDisk,
    /// The release ends as soon as it is started, everywhere.
    CrashingRelease,
    /// systemd refuses to start the unit.
    MaskedUnit,
    /// sshd is restarted; sessions go on.
    SshdRestarted,
    /// sshd is restarted and all sessions end, with everything that was begun through them.
    SshdEnded,
    /// Its sudo asks for a password from then on; sessions that are open end.
    SudoAsks,
    /// The controller's clock is off by so much, as libfaketime has it.
    Clock(&'static str),
    /// HAProxy is restarted, and forgets what it was told.
    BalancerRestarted,
    /// The machine of HAProxy reboots.
    BalancerRebooted,
}

impl Strike {
    /// Whether it is over before the deployment is looked at again. Otherwise it lasts.
    pub(super) fn passes(self) -> bool {
        match self {
            Strike::Reboot
            | Strike::SshdRestarted
            | Strike::SshdEnded
            | Strike::BalancerRestarted
            | Strike::BalancerRebooted => true,
            Strike::PowerCut { comes_back } => comes_back,
            Strike::NetworkCut(time) => time.is_some(),
            Strike::BadNetwork(_)
            | Strike::FullDisk
            | Strike::CrashingRelease
            | Strike::MaskedUnit
            | Strike::SudoAsks
            | Strike::Clock(_) => false,
        }
    }
}

/// What users may lose by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// No request: the victim was drained, or never disturbed.
    Nothing,
    /// What was under way on a victim in rotation, or was sent there until HAProxy had seen it down.
    UnderWay,
    /// What went through the victim.
    ThroughVictim,
    /// What came while the balancer itself was away, or was under way in it.
    Outage,
}
