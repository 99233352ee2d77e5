//! What is asked of a host, and what it says: placements, steps, tokens, facts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::line::{Health, Instance, ProductionTest, Run};
use crate::name::{HostName, InstanceName, ServiceName};
use crate::quantity::ByteSize;
use crate::release::{Release, ReleaseId};
use crate::time::Time;

pub mod effects;
pub mod journal;
pub mod obedience;
pub mod releases;

/// One service on one host: all that the host must know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// The service.
    pub service: ServiceName,
    /// The host, by the line's name for it.
    pub host: HostName,
    /// Holds `releases/`, `current`, `shared/` and Andon's own `.andon/`. Absolute, or below `~`.
    pub root: PathBuf,
    /// How its processes run.
    pub run: Run,
    /// The running copies on this host.
    pub instances: Vec<Instance>,
    /// "Is it up?"
    pub health: Option<Health>,
    /// "Does it do its job?"
    pub tests: Vec<ProductionTest>,
}

/// A number that only grows; a host refuses orders with a lower one than it has seen for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who gives orders: shown by a host when it refuses somebody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The ledger that the orders come from. A host obeys one ledger per service.
    pub ledger: String,
    /// The fence of the order.
    pub fence: Fence,
    /// The deployment's number.
    pub deployment: u64,
    /// The person behind it.
    pub by: String,
    /// The machine that the controller runs on.
    pub at: String,
    /// When the deployment was accepted there. `None` from an agent or a controller that does not say.
    #[serde(default)]
    pub since: Option<Time>,
    /// Obey even though the host has belonged to another ledger until now.
    #[serde(default)]
    pub take_over: bool,
    /// Grows with everything that balancers are told under one fence, so that what comes late is known as such. Nought
    /// where nothing is numbered.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub round: u64,
}

fn is_nought(number: &u64) -> bool {
    *number == 0
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deployment #{} by {} on {}", self.deployment, self.by, self.at)
    }
}

/// The parts of a host run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Fetch, verify and unpack the release. Disturbs nothing that runs.
    Prepare,
    /// Take the instances out of their balancers and see that nothing is under way on them.
    Drain,
    /// Switch `current` and restart the instances.
    Activate,
    /// Wait until all instances are healthy, then run the production tests.
    Verify,
    /// Put the instances back into their balancers and see that these find them up.
    Enable,
    /// See that the instances stay healthy.
    Observe,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Prepare => "prepare",
            Stage::Drain => "drain",
            Stage::Activate => "activate",
            Stage::Verify => "verify",
            Stage::Enable => "enable",
            Stage::Observe => "observe",
        })
    }
}

/// The name of one step on one host, made by the controller: what makes a step exactly-once.
///
/// Consists of letters, digits, `-`, `_` and `.`, so that it can be a directory's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

/// A text that is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token has 1 to 300 letters, digits, `-`, `_` and `.`, and does not start with `.`")]
pub struct TokenError;

impl Token {
    /// The token of `(deployment, fence, host, stage, attempt)`. `revert` tells the way back from the way forward.
    pub fn new(
        deployment: u64,
        fence: Fence,
        host: &HostName,
        stage: Stage,
        revert: bool,
        attempt: u32,
    ) -> Self {
        let way = if revert { "-back" } else { "" };
        Self(format!("d{deployment}.f{fence}.{host}.{stage}{way}.{attempt}"))
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = TokenError;
    fn try_from(text: String) -> Result<Self, TokenError> {
        let good = (1..=300).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if good { Ok(Self(text)) } else { Err(TokenError) }
    }
}

impl From<Token> for String {
    fn from(token: Token) -> String {
        token.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One effect on one host. Each can be repeated without harm: it moves the host towards a described state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Unpack the artifact, which was uploaded before, to `releases/<id>`; first remove all releases that are
    /// neither in `keep` nor current nor running.
    Prepare {
        /// What to unpack.
        release: Release,
        /// What must stay.
        keep: Vec<ReleaseId>,
    },
    /// Write the activation marker, switch `current`, restart every instance on the release.
    Activate {
        /// What to run.
        release: ReleaseId,
    },
    /// Wait for health, then run the production tests.
    Verify {
        /// What must be running.
        release: ReleaseId,
        /// How long the instances may take to become healthy.
        #[serde(with = "crate::time::millis")]
        healthy_deadline: Duration,
        /// On the way back, tests inform and do not decide.
        tests: TestMode,
    },
    /// Ask for health again and again for `period`; fails on `Health::in_a_row` failures in a row, on a restart
    /// of an instance, and when another release runs.
    Observe {
        /// What must be running.
        release: ReleaseId,
        /// How long to look.
        #[serde(with = "crate::time::millis")]
        period: Duration,
    },
}

impl Step {
    /// The stage that this step carries out.
    pub fn stage(&self) -> Stage {
        match self {
            Step::Prepare { .. } => Stage::Prepare,
            Step::Activate { .. } => Stage::Activate,
            Step::Verify { .. } => Stage::Verify,
            Step::Observe { .. } => Stage::Observe,
        }
    }
}

/// Whether a failing production test fails the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestMode {
    /// It does.
    Decide,
    /// It is written to the output only.
    Inform,
}

/// How a step ended. Facts, never guesses: an effect that is not known is [`TokenStatus::Interrupted`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed {
        /// One sentence: what failed and why.
        reason: String,
        /// The last lines of its output, as text, at most 4 KiB.
        tail: String,
    },
    /// It was ended because it took too long.
    TimedOut {
        /// The time that it had.
        #[serde(with = "crate::time::millis")]
        after: Duration,
        /// The last lines of its output, as text, at most 4 KiB.
        tail: String,
    },
    /// It was ended by request.
    Killed,
}

/// What a host's journal knows about a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// No record: the step never started.
    NeverStarted,
    /// At work.
    Running,
    /// Ended.
    Finished(Outcome),
    /// It was accepted, and what carried it out is gone without a result: a reboot or a kill.
    Interrupted,
}

/// Where a host is on its way between two releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationMarker {
    /// The release that is or was being activated.
    pub release: ReleaseId,
    /// Whether the activation was completed.
    pub complete: bool,
}

/// Whether a host's instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Its process runs.
    Running,
    /// It has no process, and should not have one or nobody restarts it.
    Stopped,
    /// It ends again and again.
    CrashLooping,
}

/// What a host knows of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// Which one.
    pub name: InstanceName,
    /// Whether it lives.
    pub state: InstanceState,
    /// The release that its process really runs, read from the process.
    pub release: Option<ReleaseId>,
    /// Times that it was restarted after an unexpected end, since it was activated.
    pub restarts: u32,
    /// The answer of one health check: `Ok` or why not. `None` where the service has none.
    pub health: Option<Result<(), String>>,
}

impl InstanceFacts {
    /// Whether the instance can serve: it runs, and its health check, where there is one, passes.
    pub fn serves(&self) -> bool {
        self.state == InstanceState::Running && !matches!(self.health, Some(Err(_)))
    }
}

/// What a host says about itself and one service on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Changes with every boot.
    pub boot_id: String,
    /// The machine's architecture, as `uname -m` says.
    pub arch: String,
    /// Free space where releases are kept.
    pub free: ByteSize,
    /// Where `current` points.
    pub current: Option<ReleaseId>,
    /// Complete releases on disk.
    pub releases: Vec<ReleaseId>,
    /// The last activation.
    pub marker: Option<ActivationMarker>,
    /// What runs.
    pub instances: Vec<InstanceFacts>,
    /// Whom the host obeys for this service.
    pub authority: Option<Authority>,
    /// What the host knows of the tokens that it was asked about.
    #[serde(default)]
    pub tokens: BTreeMap<Token, TokenStatus>,
    /// Anything that will keep a release from working here: no systemd, a read-only directory. Sentences.
    #[serde(default)]
    pub obstacles: Vec<String>,
}

impl HostFacts {
    /// The one release that every instance runs, if they all run the same and `current` agrees.
    pub fn uniform_release(&self) -> Option<&ReleaseId> {
        let first = self.instances.first()?.release.as_ref()?;
        let same = self.instances.iter().all(|instance| instance.release.as_ref() == Some(first));
        (same && self.current.as_ref() == Some(first)).then_some(first)
    }

    /// Whether every instance can serve.
    pub fn serves(&self) -> bool {
        !self.instances.is_empty() && self.instances.iter().all(InstanceFacts::serves)
    }
}
