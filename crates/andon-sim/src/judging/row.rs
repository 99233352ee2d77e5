//! The rows of the table: what is simulated, how often, and what must come of it.

use andon_core::analysis::Spec;

use crate::judging::fault::Fault;
use crate::judging::fleet::{Fleet, Noise};
use crate::judging::trial::{Outcome, Setup};

/// What is counted in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Releases that were called bad.
    Failed,
    /// Releases that got no request any more: called bad, or all their instances pulled.
    Cleared,
    /// Releases that passed.
    Passed,
}

impl Counted {
    /// When it happened, in seconds after the trouble began (after the beginning, for a pass); `None` when it didn't.
    /// What happened before the trouble did counts as at once.
    pub fn of(self, setup: &Setup, outcome: &Outcome) -> Option<f64> {
        let from = if setup.fault == Fault::None { 0.0 } else { outcome.onset };
        match self {
            Self::Failed => outcome.failed.map(|at| (at - from).max(0.0)),
            Self::Cleared => outcome.cleared.map(|at| (at - from).max(0.0)),
            Self::Passed => outcome.passed,
        }
    }
}

/// What a row must show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Claim {
    /// It happens in at most this share of deployments.
    AtMost(f64),
    /// The upper end of the interval is at most this. Of the full table only: few trials can't show it.
    SurelyAtMost(f64),
    /// It happens in at least this share of deployments.
    AtLeast(f64),
    /// In at least this share it happens within so many seconds: a median is a share of a half.
    Within(f64, f64),
    /// The median is at most twice the planner's.
    TwiceThePlan,
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it stands.
    pub section: Section,
    /// What goes wrong.
    pub name: String,
    /// What is simulated.
    pub setup: Setup,
    /// What is counted.
    pub counted: Counted,
    /// Deployments of the full table.
    pub trials: u64,
    /// Deployments of the quick one; 0 leaves the row out.
    pub quick: u64,
    /// What the row must show.
    pub claims: Vec<Claim>,
    /// What the first simulation of this design showed, with another program.
    pub design: &'static str,
}

/// The parts of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Nothing is wrong, and traffic is as history has it.
    Harmless,
    /// Nothing is wrong, and traffic is not as history has it.
    Stress,
    /// The release answers hardly at all.
    Gross,
    /// More errors, slower responses.
    Faults,
    /// One bad host, not a bad release.
    Blame,
    /// How long a harmless release takes.
    Passing,
}

impl Section {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Harmless, Self::Stress, Self::Gross, Self::Faults, Self::Blame, Self::Passing];

    /// Its title, and what its share is the share of.
    pub fn title(self) -> &'static str {
        match self {
            Self::Harmless => "Harmless releases: the share that is rolled back within half an hour",
            Self::Stress => {
                "Harmless releases while traffic is unlike its history: the share that is rolled back"
            }
            Self::Gross => "Gross faults: the share that is taken off traffic, in usual ticks",
            Self::Faults => "Faults: the share that is rolled back within half an hour, and when",
            Self::Blame => {
                "One bad host among the new instances: the share of releases that are blamed for it"
            }
            Self::Passing => "Harmless releases: the share that passes within half an hour, and when",
        }
    }
}

const TINY: Fleet = Fleet { servers: 5, canaries: 1, rate: 20.0 };
const QUIET: Fleet = Fleet { servers: 5, canaries: 1, rate: 5.0 };
const SMALL: Fleet = Fleet { servers: 20, canaries: 1, rate: 50.0 };
const MIDDLE: Fleet = Fleet { servers: 100, canaries: 5, rate: 50.0 };
const LARGE: Fleet = Fleet { servers: 500, canaries: 10, rate: 50.0 };

impl Row {
    fn new(section: Section, name: impl Into<String>, setup: Setup, trials: u64, quick: u64) -> Self {
        let counted = match section {
            Section::Gross => Counted::Cleared,
            Section::Passing => Counted::Passed,
            _ => Counted::Failed,
        };
        Self { section, name: name.into(), setup, counted, trials, quick, claims: Vec::new(), design: "" }
    }

    fn claims(self, claims: &[Claim]) -> Self {
        Self { claims: claims.to_vec(), ..self }
    }

    fn design(self, design: &'static str) -> Self {
        Self { design, ..self }
    }
}

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let mut rows = harmless();
    rows.extend(stress());
    rows.extend(gross());
    rows.extend(faults());
    rows.extend(blame());
    rows.extend(passing());
    rows
}

fn harmless() -> Vec<Row> {
    let row = |name, fleet, trials, quick| {
        let setup = Setup { peers: true, ..Setup::new(fleet) };
        Row::new(Section::Harmless, name, setup, trials, quick)
    };
    vec![
        row("nothing", TINY, 4_000, 300).design("0 of 4,000"),
        row("nothing", SMALL, 3_500, 300).design("0.08 %"),
        row("nothing", MIDDLE, 1_500, 50).design("0 of 600"),
        row("nothing", LARGE, 500, 10).design("0 of 100"),
        Row {
            setup: Setup { tick: usual_tick(), ..Setup::new(SMALL) },
            ..row("nothing, in usual ticks", SMALL, 500, 0)
        },
    ]
}

/// Seconds between two ticks, when nothing else is said.
fn usual_tick() -> f64 {
    Spec::new(Vec::new()).tick.as_secs_f64()
}

/// The claims on all harmless releases together.
pub const ALL_HARMLESS: [Claim; 2] = [Claim::AtMost(0.001), Claim::SurelyAtMost(0.002)];

fn stress() -> Vec<Row> {
    let cold = Fault::ColdStart { seconds: 60.0, latency: 3.0, errors: 5.0 };
    let row = |name, setup: Setup, quick| {
        let setup = Setup { peers: true, ..setup };
        Row::new(Section::Stress, name, setup, 1_000, quick).claims(&[Claim::AtMost(0.02)])
    };
    let small = Setup::new(SMALL);
    let with = |fault| Setup { fault, ..small };
    vec![
        row("hosts drift by 10 %", with(Fault::Drift(0.1)), 100).design("0.6 % at α 0.01"),
        row("bursts of 8, not of 3", with(Fault::Bursts(8.0)), 100).design("0.5 % at α 0.01"),
        row("garbage three times as often", with(Fault::Garbage(3.0)), 100).design("1.1 % at α 0.01"),
        row("all have errors × 20 for 2 min", Setup { onset: 600.0, ..with(Fault::Shared(20.0)) }, 100)
            .design("0 of 1,000"),
        row("cold start of 60 s", Setup { fresh: true, ..with(cold) }, 100).design("0 of 400"),
        row("cold start of 60 s, no warm-up", Setup { fresh: true, warmup: Some(0.0), ..with(cold) }, 0)
            .claims(&[])
            .design("86 %"),
        row(
            "2 % of all requests fail, always",
            Setup { noise: Noise { base_error: 0.02, ..Noise::default() }, ..small },
            0,
        )
        .design("0.4 % of errors alone"),
    ]
}

fn gross() -> Vec<Row> {
    let mut rows = Vec::new();
    for fleet in [SMALL, MIDDLE] {
        for (name, fault) in [
            ("half of all requests fail", Fault::Failing(0.5)),
            ("it ends, again and again", Fault::Crash),
            ("it answers nothing", Fault::Hang),
        ] {
            let setup = Setup { fault, onset: 120.0, tick: usual_tick(), length: 240.0, ..Setup::new(fleet) };
            rows.push(Row::new(Section::Gross, name, setup, 300, 20).claims(&[Claim::Within(5.0, 0.99)]));
        }
    }
    rows
}

fn faults() -> Vec<Row> {
    const SEEN: [Claim; 3] = [Claim::AtLeast(0.99), Claim::Within(150.0, 0.5), Claim::Within(400.0, 0.95)];
    const SOON: [Claim; 3] = [Claim::AtLeast(0.99), Claim::Within(40.0, 0.5), Claim::Within(90.0, 0.95)];
    const PLAN: [Claim; 4] =
        [Claim::AtLeast(0.99), Claim::Within(150.0, 0.5), Claim::Within(400.0, 0.95), Claim::TwiceThePlan];
    const PLAN_SOON: [Claim; 4] =
        [Claim::AtLeast(0.99), Claim::Within(40.0, 0.5), Claim::Within(90.0, 0.95), Claim::TwiceThePlan];
    let row = |fleet: Fleet, fault, quick, claims: &[Claim], design| {
        let name = match fault {
            Fault::Errors(times) => format!("errors × {times}"),
            Fault::Latency(times) => format!("responses × {times}"),
            _ => String::new(),
        };
        let peers = fleet == SMALL || fleet == MIDDLE;
        let setup = Setup { fault, peers, ..Setup::new(fleet) };
        Row::new(Section::Faults, name, setup, 300, quick).claims(claims).design(design)
    };
    let (errors, latency) = (Fault::Errors, Fault::Latency);
    let mut rows = vec![
        row(QUIET, errors(3.0), 0, &[], "2 %"),
        row(QUIET, errors(10.0), 0, &[], "52 %, 1105 s"),
        row(QUIET, errors(50.0), 0, &[], "100 %, 208 / 545 s"),
        row(QUIET, latency(1.1), 0, &[], "8 %"),
        row(QUIET, latency(1.3), 0, &[], "100 %, 305 / 491 s"),
        row(QUIET, latency(2.0), 0, &[], "100 %, 40 / 60 s"),
        row(SMALL, errors(2.0), 0, &[], "6 %"),
        row(SMALL, errors(3.0), 0, &[], "72 %, 905 / 1644 s"),
        row(SMALL, errors(5.0), 0, &[Claim::TwiceThePlan], "100 %, 385 / 1318 s"),
        row(SMALL, errors(10.0), 60, &PLAN, "100 %, 140 / 371 s"),
        row(SMALL, errors(50.0), 60, &PLAN, "100 %, 30 / 55 s"),
        row(SMALL, latency(1.1), 0, &[], "27 %"),
        row(SMALL, latency(1.2), 0, &[], "100 %, 320 / 562 s"),
        row(SMALL, latency(1.3), 60, &SEEN, "100 %, 122 / 211 s"),
        row(SMALL, latency(2.0), 60, &SEEN, "100 %, 25 / 25 s"),
        row(MIDDLE, errors(2.0), 0, &[], "97 %, 742 / 1511 s"),
        row(MIDDLE, errors(3.0), 0, &[Claim::TwiceThePlan], "100 %, 240 / 461 s"),
        row(MIDDLE, errors(5.0), 0, &[Claim::TwiceThePlan], "100 %, 80 / 185 s"),
        row(MIDDLE, errors(10.0), 40, &PLAN_SOON, "100 %, 40 / 65 s"),
        row(MIDDLE, errors(50.0), 0, &PLAN_SOON, "100 %, 25 / 25 s"),
        row(MIDDLE, latency(1.1), 0, &[], "92 %, 620 s"),
        row(MIDDLE, latency(1.2), 0, &[], "100 %, 70 / 105 s"),
        row(MIDDLE, latency(1.3), 40, &SOON, "100 %, 30 / 40 s"),
        row(MIDDLE, latency(2.0), 0, &SOON, "100 %, 20 / 20 s"),
        row(LARGE, errors(2.0), 0, &[], "100 %, 350 / 901 s"),
        row(LARGE, errors(10.0), 0, &SOON, ""),
        row(LARGE, latency(1.1), 0, &[], "100 %, 300 / 708 s"),
        row(LARGE, latency(1.3), 0, &SOON, ""),
    ];
    let late = Setup { fault: errors(10.0), onset: 900.0, peers: true, ..Setup::new(SMALL) };
    rows.push(
        Row::new(Section::Faults, "errors × 10 from minute 15 on", late, 300, 20)
            .claims(&[Claim::AtLeast(0.95), Claim::Within(285.0, 0.5)])
            .design("142 s; 285 s with one beginning"),
    );
    rows
}

fn blame() -> Vec<Row> {
    let setup = Setup { fault: Fault::BadHost(5.0), ..Setup::new(MIDDLE) };
    vec![
        Row::new(Section::Blame, "errors × 5 on one of five", setup, 1_000, 60)
            .claims(&[Claim::AtMost(0.01)])
            .design("0 of 200; 70 % without leaving one out"),
        Row::new(
            Section::Blame,
            "errors × 50 on one of five",
            Setup { fault: Fault::BadHost(50.0), ..setup },
            300,
            0,
        )
        .claims(&[Claim::AtMost(0.01)]),
    ]
}

fn passing() -> Vec<Row> {
    let row = |fleet, harm, design| {
        let setup = Setup { harm: Some(harm), ..Setup::new(fleet) };
        Row::new(Section::Passing, format!("harm is × {harm}"), setup, 200, 0).design(design)
    };
    vec![
        row(SMALL, 3.0, "96 %, 505 s"),
        row(SMALL, 2.0, "60 %"),
        row(MIDDLE, 2.0, "100 %, 240 s"),
        row(LARGE, 2.0, "120 s"),
        row(LARGE, 1.5, "99 %, 355 s"),
    ]
}
