//! One conversation with a controller, over standard input and output.
//!
//! Several questions are answered at a time. Nothing that matters lives here: a session may end at any byte, and
//! steps go on without it.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use andon_api::agent::{self, ArtifactState, FromHost, Order, PROTOCOL, Refusal, Subject, ToHost};
use andon_api::frame::{self, FrameError, HEADER};
use andon_api::secret::Secrets;
use andon_core::balance::{BalancerFailure, FailureKind, Pool, Wishes};
use andon_core::digest::Digest;
use andon_core::host::{Authority, Placement, Step, Token};
use andon_core::release::ReleaseId;

use crate::balance;
use crate::facts::{self, FactsError};
use crate::journal::{Journal, JournalError};
use crate::layout::{self, Layout};
use crate::run::SelfExe;
use crate::secrecy;
use crate::sockets;
use crate::upload::{self, Upload};
use crate::vitals::Looks;
use outbox::{Gone, Outbox};

mod follow;
mod outbox;
mod refusal;

/// Questions and followed steps at the same time. More questions are answered one after the other; more steps
/// cannot be followed, because following one would keep all other messages waiting.
const MOST_AT_ONCE: usize = 128;

/// Uploads that may be open in one session.
const MOST_UPLOADS: usize = 64;

/// Why a session ends before its controller hangs up.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    /// What arrives are not frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other end is gone.
    #[error("the connection is broken: {0}")]
    Io(#[from] io::Error),
    /// The other end does not read any more.
    #[error("nobody listens any more")]
    Gone(#[from] Gone),
    /// The first message was no greeting.
    #[error("the first message must be a greeting")]
    NoGreeting,
    /// The protocols are too far apart.
    #[error("this agent speaks protocol {PROTOCOL}, the controller {0}")]
    Protocol(u32),
    /// This host cannot say what it is.
    #[error(transparent)]
    Facts(#[from] FactsError),
}

/// Talks over standard input and output until the controller hangs up.
pub(crate) fn stdio(exe: SelfExe) -> ExitCode {
    // What releases and services need to read must not depend on who logged in.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let outbox = Outbox::new(io::stdout());
    let ended = facts::boot_id().map_err(SessionError::from).and_then(|boot_id| {
        let mut session = Session {
            outbox: outbox.clone(),
            exe,
            boot_id,
            uploads: HashMap::new(),
            looks: Arc::default(),
            at_work: Arc::default(),
        };
        session.talk(&mut io::stdin().lock())
    });
    if let Err(error) = &ended {
        let refusal = match error {
            SessionError::Protocol(ours) => Refusal::Protocol { theirs: PROTOCOL, ours: *ours },
            other => Refusal::Malformed(other.to_string()),
        };
        let _ = outbox.send(&FromHost::Refused { what: Subject::Session, refusal });
    }
    outbox.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

struct Session {
    outbox: Outbox,
    exe: SelfExe,
    boot_id: String,
    uploads: HashMap<u64, Upload>,
    looks: Arc<Looks>,
    at_work: Arc<AtomicUsize>,
}

impl Session {
    fn talk(&mut self, input: &mut impl Read) -> Result<(), SessionError> {
        self.outbox.send(&FromHost::Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            arch: facts::arch(),
        })?;
        match receive(input)? {
            None => return Ok(()),
            Some(body) => match frame::decode(&body)? {
                ToHost::Hello { protocol: PROTOCOL, .. } => {}
                ToHost::Hello { protocol, .. } => return Err(SessionError::Protocol(protocol)),
                _ => return Err(SessionError::NoGreeting),
            },
        }
        while let Some(body) = receive(input)? {
            match frame::decode(&body) {
                Ok(message) => self.answer(message)?,
                // The frames are still in step: a newer controller may ask what this agent does not know.
                Err(error) => {
                    let what = agent::question_in(&body).map_or(Subject::Session, Subject::Question);
                    self.refuse(what, Refusal::Malformed(error.to_string()))?;
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, message: ToHost) -> Result<(), Gone> {
        match message {
            ToHost::Hello { .. } => Ok(()),
            ToHost::Probe { id, placement, tokens } => self.probe(id, Box::new(placed(*placement)), tokens),
            ToHost::Offer { id, placement, authority, digest, size } => {
                self.offer(id, &placed(*placement), &authority, &digest, size)
            }
            ToHost::Piece { id, offset, bytes } => self.piece(id, offset, &bytes),
            ToHost::Start { order, from, secrets } => {
                let order = Order { placement: placed(order.placement.clone()), ..*order };
                self.start(&order, &secrets, from)
            }
            ToHost::Balance { id, mut pool, authority, wishes } => {
                pool.root = rooted(pool.root);
                self.balance(id, pool, authority, wishes)
            }
            ToHost::CountSockets { id, placement } => self.count_sockets(id, placement),
            ToHost::Vitals { id, placement } => self.vitals(id, placed(*placement)),
            ToHost::Kill { placement, token } => self.kill(&placed(*placement), token),
        }
    }

    fn probe(&self, id: u64, placement: Box<Placement>, tokens: Vec<Token>) -> Result<(), Gone> {
        self.meanwhile(move |outbox| match facts::gather(&placement, &tokens) {
            Ok(facts) => outbox.send(&FromHost::Facts { id, facts: Box::new(facts) }),
            Err(error) => {
                outbox.send(&FromHost::Refused { what: Subject::Question(id), refusal: error.into() })
            }
        })
    }

    fn balance(&self, id: u64, pool: Box<Pool>, authority: Authority, wishes: Wishes) -> Result<(), Gone> {
        if self.is_crowded() {
            let reason = format!("the agent does {MOST_AT_ONCE} other things at this moment; ask again");
            let failure = BalancerFailure { kind: FailureKind::Unreachable, reason, details: String::new() };
            return self.outbox.send(&FromHost::Balanced { id, sight: Err(failure) });
        }
        let exe = self.exe.clone();
        self.meanwhile(move |outbox| {
            let sight = balance::balance(&pool, &authority, &wishes, &exe).map(Box::new);
            outbox.send(&FromHost::Balanced { id, sight })
        })
    }

    fn count_sockets(&self, id: u64, placement: Box<Placement>) -> Result<(), Gone> {
        self.meanwhile(move |outbox| {
            outbox.send(&FromHost::Sockets { id, sockets: sockets::count(&placement) })
        })
    }

    fn vitals(&self, id: u64, placement: Placement) -> Result<(), Gone> {
        let looks = Arc::clone(&self.looks);
        self.meanwhile(move |outbox| {
            outbox.send(&match looks.look(&placement) {
                Ok(vitals) => FromHost::Vitals { id, vitals: Box::new(vitals) },
                Err(error) => FromHost::Refused {
                    what: Subject::Question(id),
                    refusal: Refusal::Malformed(error.to_string()),
                },
            })
        })
    }

    fn offer(
        &mut self,
        id: u64,
        placement: &Placement,
        authority: &Authority,
        digest: &Digest,
        size: u64,
    ) -> Result<(), Gone> {
        let what = Subject::Question(id);
        self.uploads.remove(&id);
        if self.uploads.len() >= MOST_UPLOADS {
            return self
                .refuse(what, Refusal::Malformed(format!("more than {MOST_UPLOADS} uploads at a time")));
        }
        let layout = match Layout::of(placement) {
            Ok(layout) => layout,
            Err(error) => return self.refuse(what, Refusal::Malformed(error.to_string())),
        };
        let offered = self.outbox.undisturbed(|| upload::offer(&layout, authority, digest, size));
        match offered {
            Ok(None) => self.outbox.send(&FromHost::Artifact { id, state: ArtifactState::Present }),
            Ok(Some(upload)) => {
                let state = ArtifactState::WantedFrom(upload.wanted_from());
                self.uploads.insert(id, upload);
                self.outbox.send(&FromHost::Artifact { id, state })
            }
            Err(error) => self.refuse(what, error.into()),
        }
    }

    fn piece(&mut self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), Gone> {
        let what = Subject::Question(id);
        let Some(upload) = self.uploads.get_mut(&id) else {
            return self
                .refuse(what, Refusal::Malformed(format!("a piece of an upload {id} that is not open")));
        };
        match upload.add(offset, bytes) {
            Ok(ArtifactState::WantedFrom(_)) => Ok(()),
            Ok(state @ ArtifactState::Present) => {
                self.uploads.remove(&id);
                self.outbox.send(&FromHost::Artifact { id, state })
            }
            Err(error) => {
                // Pieces that are on their way already are refused one by one; the offer begins anew.
                self.uploads.remove(&id);
                self.refuse(what, error.into())
            }
        }
    }

    fn start(&self, order: &Order, secrets: &Secrets, from: u64) -> Result<(), Gone> {
        let token = order.token.clone();
        let what = Subject::Order(token.clone());
        if self.is_crowded() {
            return self
                .refuse(what, Refusal::Malformed(format!("more than {MOST_AT_ONCE} steps at a time")));
        }
        if let Step::Prepare { release, .. } = &order.step
            && release.id != ReleaseId::of(&release.digest)
        {
            let told =
                format!("{} is not the name of a release with the digest {}", release.id, release.digest);
            return self.refuse(what, Refusal::Malformed(told));
        }
        let layout = match Layout::of(&order.placement) {
            Ok(layout) => layout,
            Err(error) => return self.refuse(what, Refusal::Malformed(error.to_string())),
        };
        if !secrets.is_empty()
            && let Err(error) = secrecy::keep_out_of_dumps()
        {
            let told = format!("secrets cannot be kept out of core dumps: {error}");
            return self.refuse(what, Refusal::Malformed(told));
        }
        let accepted =
            self.outbox.undisturbed(|| Journal::of(&layout).accept(order, secrets, &self.boot_id, &self.exe));
        match accepted {
            Ok(()) => {
                self.outbox.send(&FromHost::Accepted { token: token.clone() })?;
                self.follow(&layout, token, Some(from))
            }
            Err(error) => self.refuse(what, error.into()),
        }
    }

    /// Answered by `Ended`, once the step has.
    fn kill(&self, placement: &Placement, token: Token) -> Result<(), Gone> {
        let what = Subject::Order(token.clone());
        if self.is_crowded() {
            return self
                .refuse(what, Refusal::Malformed(format!("more than {MOST_AT_ONCE} steps at a time")));
        }
        let layout = match Layout::of(placement) {
            Ok(layout) => layout,
            Err(error) => return self.refuse(what, Refusal::Malformed(error.to_string())),
        };
        let record = Journal::of(&layout).record(&token);
        match record.request_kill() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let source = JournalError::Storage { path: record.path().to_owned(), source: error };
                self.refuse(what, source.into())
            }
            _ => self.follow(&layout, token, None),
        }
    }

    fn follow(&self, layout: &Layout, token: Token, from: Option<u64>) -> Result<(), Gone> {
        let record = Journal::of(layout).record(&token);
        self.meanwhile(move |outbox| follow::follow(&record, &token, from, outbox))
    }

    fn is_crowded(&self) -> bool {
        self.at_work.load(Ordering::SeqCst) >= MOST_AT_ONCE
    }

    /// Runs `work` in a thread of its own; at once when there are too many, or no thread is to be had.
    fn meanwhile(
        &self,
        work: impl Fn(&Outbox) -> Result<(), Gone> + Send + Sync + 'static,
    ) -> Result<(), Gone> {
        let place = Place::take(&self.at_work);
        let work = Arc::new(work);
        if place.number < MOST_AT_ONCE {
            let (theirs, outbox) = (Arc::clone(&work), self.outbox.clone());
            let thread = std::thread::Builder::new().spawn(move || {
                let _place = place;
                // When nobody listens any more, the reading thread finds out by itself.
                let _ = theirs(&outbox);
            });
            if thread.is_ok() {
                return Ok(());
            }
        }
        work(&self.outbox)
    }

    fn refuse(&self, what: Subject, refusal: Refusal) -> Result<(), Gone> {
        self.outbox.send(&FromHost::Refused { what, refusal })
    }
}

/// One of the pieces of work that go on at the same time.
struct Place {
    at_work: Arc<AtomicUsize>,
    number: usize,
}

impl Place {
    fn take(at_work: &Arc<AtomicUsize>) -> Self {
        Self { number: at_work.fetch_add(1, Ordering::SeqCst), at_work: Arc::clone(at_work) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The body of the next frame; `None` when the controller hung up, be it in the middle of a frame.
fn receive(input: &mut impl Read) -> Result<Option<Vec<u8>>, SessionError> {
    let mut header = [0; HEADER];
    if !fill(input, &mut header)? {
        return Ok(None);
    }
    let mut body = vec![0; frame::body_length(header)?];
    Ok(fill(input, &mut body)?.then_some(body))
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn placed(placement: Placement) -> Placement {
    Placement { root: rooted(placement.root), ..placement }
}

fn rooted(root: PathBuf) -> PathBuf {
    layout::at_home(root, std::env::var_os("HOME").as_deref().map(Path::new))
}
