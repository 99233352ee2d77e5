//! The controller's side of a conversation, for tests.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use andon_api::agent::{ArtifactState, CHUNK, FromHost, Order, PROTOCOL, Refusal, Subject, ToHost};
use andon_api::frame;
use andon_api::secret::Secrets;
use andon_core::digest::Digest;
use andon_core::host::{Authority, HostFacts, Placement, Token, TokenStatus};
use andon_core::vitals::HostVitals;
use andon_testbed::Wire;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_andon-agent");

/// Long enough for a busy machine; no test waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `andon-agent stdio`. Dropping it cuts the connection without a word.
pub(crate) struct Session {
    pub(crate) child: Child,
    pub(crate) input: Option<ChildStdin>,
    messages: Receiver<FromHost>,
    next_id: u64,
}

/// How a step went, as far as one session saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) output: Vec<u8>,
    pub(crate) status: TokenStatus,
}

impl Session {
    /// Starts an agent and greets it.
    pub(crate) fn open() -> Self {
        Self::silent().greeted()
    }

    /// The session after both sides said hello.
    pub(crate) fn greeted(self) -> Self {
        let mut session = self;
        session.send(&ToHost::Hello { protocol: PROTOCOL, version: "test".to_owned() });
        assert!(matches!(session.next(), Some(FromHost::Hello { protocol: PROTOCOL, .. })));
        session
    }

    /// Starts an agent and says nothing.
    pub(crate) fn silent() -> Self {
        Self::of(Path::new(PROGRAM))
    }

    /// Starts a certain executable as an agent and says nothing.
    pub(crate) fn of(program: &Path) -> Self {
        Self::by(Command::new(program).arg("stdio"))
    }

    /// Starts an agent over a tripwire, and greets it.
    pub(crate) fn armed(wire: &Wire) -> Self {
        let mut command = Command::new(PROGRAM);
        wire.arm(command.arg("stdio"));
        Self::by(&mut command).greeted()
    }

    /// Starts an agent by a command and says nothing.
    pub(crate) fn by(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, messages, next_id: 0 }
    }

    pub(crate) fn send(&mut self, message: &ToHost) {
        self.send_raw(&frame::encode(message).unwrap());
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Sends a message to an agent that may be dead; whether its end of the pipe was still there.
    pub(crate) fn try_send(&mut self, message: &ToHost) -> bool {
        let frame = frame::encode(message).unwrap();
        self.input.as_mut().is_some_and(|input| input.write_all(&frame).is_ok())
    }

    /// Uploads `bytes` to an agent that may die meanwhile: then `None`.
    pub(crate) fn try_upload(
        &mut self,
        placement: &Placement,
        authority: &Authority,
        bytes: &[u8],
    ) -> Option<ArtifactState> {
        let (id, digest, size) = (self.id(), Digest::of(bytes), bytes.len() as u64);
        let placement = Box::new(placement.clone());
        let offer = ToHost::Offer { id, placement, authority: authority.clone(), digest, size };
        let state = |message| match message {
            Some(FromHost::Artifact { state, .. }) => Some(state),
            _ => None,
        };
        self.try_send(&offer);
        let ArtifactState::WantedFrom(offset) = state(self.next())? else {
            return Some(ArtifactState::Present);
        };
        let rest = bytes[usize::try_from(offset).unwrap()..].to_vec();
        assert!(rest.len() <= CHUNK, "one piece is enough for what these tests send");
        self.try_send(&ToHost::Piece { id, offset, bytes: rest });
        state(self.next())
    }

    /// The next message; `None` when the agent hung up.
    pub(crate) fn next(&mut self) -> Option<FromHost> {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => Some(message),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the agent says nothing"),
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn probe(&mut self, placement: &Placement, tokens: &[&Token]) -> HostFacts {
        let id = self.id();
        let tokens = tokens.iter().map(|token| (*token).clone()).collect();
        self.send(&ToHost::Probe { id, placement: Box::new(placement.clone()), tokens });
        match self.next() {
            Some(FromHost::Facts { id: answered, facts }) if answered == id => *facts,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn vitals(&mut self, placement: &Placement) -> Result<HostVitals, Refusal> {
        let id = self.id();
        self.send(&ToHost::Vitals { id, placement: Box::new(placement.clone()) });
        match self.next() {
            Some(FromHost::Vitals { id: answered, vitals }) if answered == id => Ok(*vitals),
            Some(FromHost::Refused { what: Subject::Question(refused), refusal }) if refused == id => {
                Err(refusal)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Offers bytes without sending them; the id of the offer comes along.
    pub(crate) fn offer(
        &mut self,
        placement: &Placement,
        authority: &Authority,
        digest: Digest,
        size: u64,
    ) -> (u64, Result<ArtifactState, Refusal>) {
        let id = self.id();
        let placement = Box::new(placement.clone());
        self.send(&ToHost::Offer { id, placement, authority: authority.clone(), digest, size });
        (id, self.artifact())
    }

    /// The answer to an offer or to the last piece.
    pub(crate) fn artifact(&mut self) -> Result<ArtifactState, Refusal> {
        match self.next() {
            Some(FromHost::Artifact { state, .. }) => Ok(state),
            Some(FromHost::Refused { refusal, .. }) => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    /// Offers `bytes` and sends what is missing.
    pub(crate) fn upload(
        &mut self,
        placement: &Placement,
        authority: &Authority,
        bytes: &[u8],
    ) -> Result<ArtifactState, Refusal> {
        let (id, state) = self.offer(placement, authority, Digest::of(bytes), bytes.len() as u64);
        let ArtifactState::WantedFrom(from) = state? else { return Ok(ArtifactState::Present) };
        let mut offset = from;
        for piece in bytes[usize::try_from(from).unwrap()..].chunks(CHUNK) {
            self.send(&ToHost::Piece { id, offset, bytes: piece.to_vec() });
            offset += piece.len() as u64;
        }
        self.artifact()
    }

    pub(crate) fn start(&mut self, order: &Order) {
        self.send(&ToHost::Start { order: Box::new(order.clone()), from: 0, secrets: Secrets::default() });
    }

    /// Whether the order was accepted.
    pub(crate) fn accepted(&mut self, token: &Token) -> Result<(), Refusal> {
        match self.next() {
            Some(FromHost::Accepted { token: accepted }) if accepted == *token => Ok(()),
            Some(FromHost::Refused { what: Subject::Order(refused), refusal }) if refused == *token => {
                Err(refusal)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Everything up to the end of a step that was accepted.
    pub(crate) fn end_of(&mut self, token: &Token) -> Seen {
        let mut output = Vec::new();
        loop {
            match self.next() {
                Some(FromHost::Output { token: talking, bytes, .. }) if talking == *token => {
                    output.extend(bytes)
                }
                Some(FromHost::Ended { token: ended, status }) if ended == *token => {
                    return Seen { output, status };
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Carries out an order and stays until its end.
    pub(crate) fn carry_out(&mut self, order: &Order) -> Result<Seen, Refusal> {
        self.start(order);
        self.accepted(&order.token)?;
        Ok(self.end_of(&order.token))
    }

    /// Hangs up and waits for the agent's end.
    pub(crate) fn hang_up(mut self) -> std::process::ExitStatus {
        self.input = None;
        let child = &mut self.child;
        let mut status = None;
        until("the agent ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(from: &mut impl Read) -> Option<FromHost> {
    let mut header = [0; frame::HEADER];
    from.read_exact(&mut header).ok()?;
    let mut body = vec![0; frame::body_length(header).unwrap()];
    from.read_exact(&mut body).ok()?;
    Some(frame::decode(&body).unwrap())
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
