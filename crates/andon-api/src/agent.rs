//! The conversation with an agent.
//!
//! Both sides say `Hello` first. Then the controller asks and orders, in any number at a time; answers carry the
//! `id` of their question, and the events of a step carry its token. A connection may end at any byte: steps go on
//! without it, and a new connection finds them by their tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::balance::{BalancerFailure, Pool, PoolSight, Sockets, Wishes};
use andon_core::digest::Digest;
use andon_core::host::{Authority, HostFacts, Placement, Step, Token, TokenStatus};
use andon_core::vitals::HostVitals;
use serde::{Deserialize, Serialize};

use crate::frame;
use crate::secret::Secrets;

/// The protocol that this crate speaks. Raised when an old peer could misunderstand a new one.
pub const PROTOCOL: u32 = 1;

/// The largest piece of an artifact or of output in one message, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// From the controller to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToHost {
    /// First of all.
    Hello {
        /// See [`PROTOCOL`].
        protocol: u32,
        /// The controller's version, for messages.
        version: String,
    },
    /// What is the state of this service, and what became of these tokens? Answered by [`FromHost::Facts`].
    Probe {
        /// Comes back in the answer.
        id: u64,
        /// The service.
        placement: Box<Placement>,
        /// Tokens whose fate is asked for.
        tokens: Vec<Token>,
    },
    /// Is this artifact here? Answered by [`FromHost::Artifact`]. Creates what the upload needs.
    Offer {
        /// Comes back in the answer.
        id: u64,
        /// The service.
        placement: Box<Placement>,
        /// Who wants to send it.
        authority: Authority,
        /// The artifact.
        digest: Digest,
        /// Its packed size in bytes.
        size: u64,
    },
    /// A piece of the artifact that was offered as `id`. The piece that completes it is answered by
    /// [`FromHost::Artifact`].
    Piece {
        /// The `id` of the offer.
        id: u64,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// At most [`CHUNK`] bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Carry out a step, or attach to it when it is known already. Answered by events with its token.
    Start {
        /// The order.
        order: Box<Order>,
        /// The output up to this offset is known.
        from: u64,
        /// What the step's programs need and no journal may hold. Of no use when the step is known already.
        #[serde(default, skip_serializing_if = "Secrets::is_empty")]
        secrets: Secrets,
    },
    /// Make the servers of a pool so, where they are not, and say what the balancer sees. Without wishes it only
    /// looks. Answered by [`FromHost::Balanced`].
    Balance {
        /// Comes back in the answer.
        id: u64,
        /// The pool, whose balancer runs on this host.
        pool: Box<Pool>,
        /// Who wishes.
        authority: Authority,
        /// What is wished.
        wishes: Wishes,
    },
    /// How many connections do the instances of this service have? Answered by [`FromHost::Sockets`].
    CountSockets {
        /// Comes back in the answer.
        id: u64,
        /// The service.
        placement: Box<Placement>,
    },
    /// How are the processes of this service, its log, and the host? Answered by [`FromHost::Vitals`].
    Vitals {
        /// Comes back in the answer.
        id: u64,
        /// The service.
        placement: Box<Placement>,
    },
    /// End a running step.
    Kill {
        /// The service.
        placement: Box<Placement>,
        /// The step.
        token: Token,
    },
}

/// The number of the question in a frame's body that is no [`ToHost`]: one that only a newer agent understands, so that
/// it is refused by itself and the conversation goes on.
pub fn question_in(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Question {
        id: u64,
    }
    let message: BTreeMap<String, Question> = frame::decode(body).ok()?;
    message.into_values().next().map(|question| question.id)
}

/// One order: a step with everything that it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub token: Token,
    /// Who gives it.
    pub authority: Authority,
    /// The service.
    pub placement: Placement,
    /// What to do.
    pub step: Step,
    /// The longest time that it may take.
    #[serde(with = "andon_core::time::millis")]
    pub timeout: Duration,
}

/// From an agent to the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHost {
    /// First of all.
    Hello {
        /// See [`PROTOCOL`].
        protocol: u32,
        /// The agent's version, for messages.
        version: String,
        /// Changes with every boot.
        boot_id: String,
        /// As `uname -m` says.
        arch: String,
    },
    /// The answer to a probe.
    Facts {
        /// The question's.
        id: u64,
        /// What is known.
        facts: Box<HostFacts>,
    },
    /// The answer to [`ToHost::Balance`].
    Balanced {
        /// The question's.
        id: u64,
        /// What the balancer sees, or why it could not be done.
        sight: Result<Box<PoolSight>, BalancerFailure>,
    },
    /// The answer to [`ToHost::CountSockets`].
    Sockets {
        /// The question's.
        id: u64,
        /// What the host sees, or why it cannot.
        sockets: Result<Sockets, String>,
    },
    /// The answer to [`ToHost::Vitals`].
    Vitals {
        /// The question's.
        id: u64,
        /// What the host sees.
        vitals: Box<HostVitals>,
    },
    /// The answer to an offer, and to the piece that completes it.
    Artifact {
        /// The offer's.
        id: u64,
        /// What is missing.
        state: ArtifactState,
    },
    /// A step has been accepted, or was before: its events follow.
    Accepted {
        /// Which.
        token: Token,
    },
    /// Output of a step, standard output and error mixed as they came.
    Output {
        /// Which.
        token: Token,
        /// Where the piece begins in the whole output, in bytes.
        offset: u64,
        /// At most [`CHUNK`] bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// A step has ended, or cannot be followed: anything but `Running`.
    Ended {
        /// Which.
        token: Token,
        /// How.
        status: TokenStatus,
    },
    /// A question, offer or order was refused.
    Refused {
        /// The id of the question, or the token of the order.
        what: Subject,
        /// Why.
        refusal: Refusal,
    },
}

/// What a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The question or offer with this id.
    Question(u64),
    /// The order with this token.
    Order(Token),
    /// The conversation as a whole.
    Session,
}

/// How much of an artifact is on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactState {
    /// The release is complete on disk, or all of its bytes are here and have the right digest.
    Present,
    /// Send from this offset on.
    WantedFrom(u64),
}

/// Why an agent refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The host obeys somebody else.
    #[error("it obeys {} (fence {})", .0, .0.fence)]
    Fenced(Box<Authority>),
    /// Another step of the same service is at work.
    #[error("it is still busy with {0}")]
    Busy(Token),
    /// Too little space, or none may be used.
    #[error("{0}")]
    Storage(String),
    /// The bytes that arrived are not the artifact.
    #[error("the artifact that arrived does not have the promised digest")]
    WrongDigest,
    /// The protocols are too far apart.
    #[error("its agent speaks protocol {theirs}, this controller {ours}")]
    Protocol {
        /// The agent's.
        theirs: u32,
        /// The controller's.
        ours: u32,
    },
    /// The message makes no sense.
    #[error("it could not understand: {0}")]
    Malformed(String),
}
