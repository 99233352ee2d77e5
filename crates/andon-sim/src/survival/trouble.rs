//! What goes wrong in a story, and what people do at the wrong moment. Says what happens, and does none of it.

use std::fmt;
use std::time::Duration;

/// The people of a story; each has a machine of their own, with the same number.
pub const PEOPLE: [&str; 4] = ["ana", "ben", "cleo", "pat"];

/// The place of a host in the fleet. One more than the last host is the balancer's host.
pub type Place = usize;

/// Something that happens at a moment of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// How long after the beginning.
    pub at: Duration,
    /// What.
    pub what: Trouble,
}

/// Something that goes wrong, or that somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The controllers of a machine are killed at one of their next appends, before or after it took effect.
    DiesAtAppend {
        /// Whose machine.
        machine: usize,
        /// At which append from now, counted from 1.
        nth: usize,
        /// Whether the append takes effect.
        after: bool,
    },
    /// The controllers of a machine are killed now.
    Killed {
        /// Whose machine.
        machine: usize,
    },
    /// A machine sleeps.
    Sleeps {
        /// Whose machine.
        machine: usize,
        /// For how long.
        span: Duration,
    },
    /// The clock of a machine jumps.
    ClockJumps {
        /// Whose machine.
        machine: usize,
        /// By how many milliseconds; backwards when negative.
        millis: i64,
    },
    /// The disk of the ledger is full.
    LedgerFull {
        /// For how long.
        span: Duration,
    },
    /// No message passes between a machine, or all of them, and a host.
    Partition {
        /// Whose machine; all of them when none is named.
        machine: Option<usize>,
        /// Which host.
        host: Place,
        /// For how long.
        span: Duration,
    },
    /// Some messages are lost.
    Loses {
        /// Of a hundred.
        percent: u64,
        /// For how long.
        span: Duration,
    },
    /// Some messages arrive late, when their senders have given them up; so they overtake each other.
    Delays {
        /// Of a hundred.
        percent: u64,
        /// At most by so much.
        by: Duration,
        /// For how long.
        span: Duration,
    },
    /// Some messages arrive twice.
    Doubles {
        /// Of a hundred.
        percent: u64,
        /// The second time at most so much later.
        by: Duration,
        /// For how long.
        span: Duration,
    },
    /// All connections to a host break.
    Breaks {
        /// Which host.
        host: Place,
    },
    /// A host is rebooted in good order.
    Reboots {
        /// Which host.
        host: Place,
        /// How long it is away.
        span: Duration,
    },
    /// A host loses its power, and what was not on its disk.
    PowerCut {
        /// Which host.
        host: Place,
        /// How long it is away.
        span: Duration,
    },
    /// All processes of the agent on a host are killed.
    AgentKilled {
        /// Which host.
        host: Place,
    },
    /// The disk of a host is full.
    DiskFull {
        /// Which host.
        host: Place,
        /// For how long.
        span: Duration,
    },
    /// A host is slow.
    Slow {
        /// Which host.
        host: Place,
        /// How many times as slow.
        factor: u32,
        /// For how long.
        span: Duration,
    },
    /// The service's process on a host ends, and is started again.
    ServiceDies {
        /// Which host.
        host: Place,
    },
    /// Users of a host stay connected.
    UsersStay {
        /// Which host.
        host: Place,
        /// For how long.
        span: Duration,
    },
    /// Somebody does something.
    Person {
        /// Who.
        machine: usize,
        /// What.
        act: Act,
    },
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// `andon deploy` of a release, by its place in the story.
    Deploy(usize),
    /// `andon deploy --fixes`, of a release, for the deployment that the scope is held or the line is stopped for.
    Fix(usize),
    /// `andon rollback`, to the newest good release that is not current.
    Rollback,
    /// `andon abort`.
    Abort {
        /// With `--rollback`.
        rollback: bool,
    },
    /// `andon pause`.
    Pause,
    /// `andon resume`.
    Resume {
        /// With `--take-over`.
        take_over: bool,
    },
    /// `andon sweep`.
    Sweep,
    /// `andon line stop`.
    StopLine,
    /// `andon line start`.
    StartLine,
}

impl Trouble {
    /// What kind it is, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            Trouble::DiesAtAppend { after: false, .. } => "controller killed before an append",
            Trouble::DiesAtAppend { after: true, .. } => "controller killed after an append",
            Trouble::Killed { .. } => "controller killed between appends",
            Trouble::Sleeps { .. } => "controller asleep",
            Trouble::ClockJumps { millis: ..0, .. } => "controller's clock jumps backwards",
            Trouble::ClockJumps { .. } => "controller's clock jumps forwards",
            Trouble::LedgerFull { .. } => "ledger's disk full",
            Trouble::Partition { .. } => "partition",
            Trouble::Loses { .. } => "messages lost",
            Trouble::Delays { .. } => "messages late",
            Trouble::Doubles { .. } => "messages doubled",
            Trouble::Breaks { .. } => "connections broken",
            Trouble::Reboots { .. } => "host rebooted",
            Trouble::PowerCut { .. } => "host's power cut",
            Trouble::AgentKilled { .. } => "agent killed",
            Trouble::DiskFull { .. } => "host's disk full",
            Trouble::Slow { .. } => "host slow",
            Trouble::ServiceDies { .. } => "service died",
            Trouble::UsersStay { .. } => "users stay connected",
            Trouble::Person { act, .. } => act.kind(),
        }
    }

    /// How long it lasts.
    pub fn span(&self) -> Duration {
        match self {
            Trouble::Sleeps { span, .. }
            | Trouble::LedgerFull { span }
            | Trouble::Partition { span, .. }
            | Trouble::Loses { span, .. }
            | Trouble::Reboots { span, .. }
            | Trouble::PowerCut { span, .. }
            | Trouble::DiskFull { span, .. }
            | Trouble::Slow { span, .. }
            | Trouble::UsersStay { span, .. } => *span,
            Trouble::Delays { span, by, .. } | Trouble::Doubles { span, by, .. } => *span + *by,
            Trouble::DiesAtAppend { .. }
            | Trouble::Killed { .. }
            | Trouble::ClockJumps { .. }
            | Trouble::Breaks { .. }
            | Trouble::AgentKilled { .. }
            | Trouble::ServiceDies { .. }
            | Trouble::Person { .. } => Duration::ZERO,
        }
    }
}

impl Act {
    fn kind(self) -> &'static str {
        match self {
            Act::Deploy(_) => "person deploys",
            Act::Fix(_) => "person deploys a fix",
            Act::Rollback => "person rolls back",
            Act::Abort { rollback: false } => "person aborts",
            Act::Abort { rollback: true } => "person aborts with --rollback",
            Act::Pause => "person pauses",
            Act::Resume { take_over: false } => "person resumes",
            Act::Resume { take_over: true } => "person resumes with --take-over",
            Act::Sweep => "person sweeps",
            Act::StopLine => "person stops the line",
            Act::StartLine => "person starts the line",
        }
    }
}

/// A host's name, by its place among `hosts`.
pub fn host_name(place: Place, hosts: usize) -> String {
    if place < hosts { format!("web{}", place + 1) } else { "lb1".to_owned() }
}

/// A trouble in words; the names of hosts need the size of the fleet.
pub struct Spoken<'a>(pub &'a Trouble, pub usize);

impl fmt::Display for Spoken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |place: &Place| host_name(*place, self.1);
        let who = |machine: &usize| PEOPLE.get(*machine).copied().unwrap_or("somebody");
        let seconds = |span: &Duration| format!("{:.1} s", span.as_secs_f64());
        match self.0 {
            Trouble::DiesAtAppend { machine, nth, after } => {
                let when = if *after { "after" } else { "before" };
                write!(f, "the controllers of {} are killed {when} their append {nth} from now", who(machine))
            }
            Trouble::Killed { machine } => write!(f, "the controllers of {} are killed", who(machine)),
            Trouble::Sleeps { machine, span } => {
                write!(f, "the machine of {} sleeps for {}", who(machine), seconds(span))
            }
            Trouble::ClockJumps { machine, millis } => {
                write!(f, "the clock of {} jumps by {millis} ms", who(machine))
            }
            Trouble::LedgerFull { span } => write!(f, "the ledger's disk is full for {}", seconds(span)),
            Trouble::Partition { machine, host: place, span } => {
                let who = machine.as_ref().map_or("everybody", who);
                write!(f, "{} is cut off from {who} for {}", host(place), seconds(span))
            }
            Trouble::Loses { percent, span } => {
                write!(f, "{percent} % of messages are lost for {}", seconds(span))
            }
            Trouble::Delays { percent, by, span } => {
                write!(f, "{percent} % of messages are late by up to {} for {}", seconds(by), seconds(span))
            }
            Trouble::Doubles { percent, by, span } => {
                let later = seconds(by);
                write!(f, "{percent} % of messages come again up to {later} later, for {}", seconds(span))
            }
            Trouble::Breaks { host: place } => write!(f, "all connections to {} break", host(place)),
            Trouble::Reboots { host: place, span } => {
                write!(f, "{} is rebooted, and away for {}", host(place), seconds(span))
            }
            Trouble::PowerCut { host: place, span } => {
                write!(f, "{} loses its power, and is away for {}", host(place), seconds(span))
            }
            Trouble::AgentKilled { host: place } => write!(f, "the agent on {} is killed", host(place)),
            Trouble::DiskFull { host: place, span } => {
                write!(f, "the disk of {} is full for {}", host(place), seconds(span))
            }
            Trouble::Slow { host: place, factor, span } => {
                write!(f, "{} is {factor} times as slow for {}", host(place), seconds(span))
            }
            Trouble::ServiceDies { host: place } => write!(f, "the service on {} dies", host(place)),
            Trouble::UsersStay { host: place, span } => {
                write!(f, "users of {} stay connected for {}", host(place), seconds(span))
            }
            Trouble::Person { machine, act } => {
                let who = who(machine);
                match act {
                    Act::Deploy(release) => write!(f, "{who} deploys release {release}"),
                    Act::Fix(release) => write!(f, "{who} deploys release {release} as a fix"),
                    Act::Rollback => write!(f, "{who} rolls back"),
                    Act::Abort { rollback: false } => write!(f, "{who} aborts"),
                    Act::Abort { rollback: true } => write!(f, "{who} aborts with --rollback"),
                    Act::Pause => write!(f, "{who} pauses"),
                    Act::Resume { take_over: false } => write!(f, "{who} resumes"),
                    Act::Resume { take_over: true } => write!(f, "{who} resumes with --take-over"),
                    Act::Sweep => write!(f, "{who} sweeps"),
                    Act::StopLine => write!(f, "{who} stops the line"),
                    Act::StartLine => write!(f, "{who} starts the line"),
                }
            }
        }
    }
}
