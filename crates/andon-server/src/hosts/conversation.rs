//! One conversation with an agent: many questions and steps at a time over one pair of pipes.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_api::agent::{CHUNK, FromHost, PROTOCOL, Subject, ToHost};
use andon_api::foreign::decode_foreign;
use andon_api::frame::{self, HEADER};
use andon_core::host::Token;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};

use super::HostError;

/// Answers that may wait for whoever asked before the conversation stands still.
const BACKLOG: usize = 64;
/// How long an agent may take to say hello.
const HELLO: Duration = Duration::from_secs(20);

/// How long an agent may take to end once nobody speaks with it any more.
const FAREWELL: Duration = Duration::from_secs(5);

type Inbox = mpsc::Sender<FromHost>;

#[derive(Debug, Default)]
struct Inboxes {
    questions: HashMap<u64, Inbox>,
    steps: HashMap<Token, Inbox>,
    /// Why the conversation is over.
    over: Option<HostError>,
}

/// An open conversation. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Conversation {
    frames: mpsc::Sender<Vec<u8>>,
    inboxes: Arc<Mutex<Inboxes>>,
    ids: AtomicU64,
    over: watch::Receiver<bool>,
}

/// The answers to one question or order.
#[derive(Debug)]
pub(super) struct Answers {
    inbox: mpsc::Receiver<FromHost>,
    inboxes: Arc<Mutex<Inboxes>>,
}

impl Answers {
    /// The next answer, or why there will be none.
    pub(super) async fn next(&mut self) -> Result<FromHost, HostError> {
        match self.inbox.recv().await {
            Some(FromHost::Refused { refusal, .. }) => Err(refusal.into()),
            Some(answer) => Ok(answer),
            None => Err(reason(&self.inboxes)),
        }
    }
}

fn lock(inboxes: &Mutex<Inboxes>) -> std::sync::MutexGuard<'_, Inboxes> {
    inboxes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reason(inboxes: &Mutex<Inboxes>) -> HostError {
    lock(inboxes).over.clone().unwrap_or_else(|| HostError::Lost("the connection was lost".to_owned()))
}

/// A version as an agent names it, fit to be shown.
fn shown(version: &str) -> String {
    const LONGEST: usize = 32;
    version.chars().filter(|c| c.is_ascii_graphic()).take(LONGEST).collect()
}

impl Conversation {
    /// Says hello to the agent behind `child`. `explain` turns what the child wrote to its standard error into a
    /// sentence, once it has ended.
    pub(super) async fn open(
        mut child: Child,
        explain: impl Fn(&str) -> String + Send + 'static,
    ) -> Result<Self, HostError> {
        let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(HostError::Unable("the pipes to the agent are missing".to_owned()));
        };
        let complaints = tokio::spawn(complaints(child.stderr.take()));
        let hello = ToHost::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
        let greeted = async {
            stdin.write_all(&encode(&hello)?).await.map_err(gone)?;
            read_message(&mut stdout).await
        };
        match tokio::time::timeout(HELLO, greeted).await {
            Ok(Ok(FromHost::Hello { protocol, .. })) if protocol == PROTOCOL => {}
            Ok(Ok(FromHost::Hello { protocol: theirs, version, .. })) => {
                return Err(HostError::Unable(format!(
                    "its agent is andon {} and speaks protocol {theirs}, this is andon {} and speaks {PROTOCOL}: \
                     one of the two has to be brought up to date",
                    shown(&version),
                    env!("CARGO_PKG_VERSION")
                )));
            }
            Ok(Ok(FromHost::Refused { refusal, .. })) => return Err(refusal.into()),
            Ok(Ok(_)) => return Err(HostError::Unreachable("its agent did not say hello".to_owned())),
            Ok(Err(error)) => {
                drop(stdin);
                let said = tokio::time::timeout(Duration::from_secs(2), complaints).await;
                let said = said.ok().and_then(Result::ok).unwrap_or_default();
                let why = if said.trim().is_empty() { error.to_string() } else { explain(&said) };
                return Err(HostError::Unreachable(why));
            }
            Err(_) => {
                return Err(HostError::Unreachable(format!(
                    "its agent said nothing for {} s",
                    HELLO.as_secs()
                )));
            }
        }
        let inboxes = Arc::new(Mutex::new(Inboxes::default()));
        let (frames, mut outgoing) = mpsc::channel::<Vec<u8>>(8);
        let (over_tx, over) = watch::channel(false);
        let writing = tokio::spawn(async move {
            while let Some(frame) = outgoing.recv().await {
                if stdin.write_all(&frame).await.is_err() {
                    break;
                }
            }
            // Closing the agent's input ends it; its steps go on.
        });
        let delivering = Arc::clone(&inboxes);
        tokio::spawn(async move {
            let end = tokio::select! {
                end = deliver_all(&mut stdout, &delivering) => end,
                end = hung_up(writing) => end,
            };
            drop(stdout);
            let said = tokio::time::timeout(Duration::from_secs(1), complaints).await;
            let said = said.ok().and_then(Result::ok).unwrap_or_default();
            let why = if said.trim().is_empty() { end.to_string() } else { explain(&said) };
            {
                let mut inboxes = lock(&delivering);
                inboxes.over = Some(HostError::Lost(why));
                inboxes.questions.clear();
                inboxes.steps.clear();
            }
            let _ = over_tx.send(true);
            // Reaps the child; `kill_on_drop` covers one that does not end by itself.
            let _ = tokio::time::timeout(FAREWELL, child.wait()).await;
        });
        Ok(Self { frames, inboxes, ids: AtomicU64::new(1), over })
    }

    /// Whether the agent can still be spoken to.
    pub(super) fn is_open(&self) -> bool {
        !*self.over.borrow()
    }

    /// Asks something; `message` gets the question's id.
    pub(super) async fn ask(&self, message: impl FnOnce(u64) -> ToHost) -> Result<(u64, Answers), HostError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let answers = self.listen(|inboxes, inbox| inboxes.questions.insert(id, inbox))?;
        self.say(&message(id)).await?;
        Ok((id, answers))
    }

    /// Gives an order; its events come back.
    pub(super) async fn order(&self, token: &Token, message: &ToHost) -> Result<Answers, HostError> {
        let answers = self.listen(|inboxes, inbox| inboxes.steps.insert(token.clone(), inbox))?;
        self.say(message).await?;
        Ok(answers)
    }

    /// Says something that needs no answer.
    pub(super) async fn say(&self, message: &ToHost) -> Result<(), HostError> {
        let frame = encode(message)?;
        self.frames.send(frame).await.map_err(|_| reason(&self.inboxes))
    }

    fn listen(
        &self,
        register: impl FnOnce(&mut Inboxes, Inbox) -> Option<Inbox>,
    ) -> Result<Answers, HostError> {
        let (sender, inbox) = mpsc::channel(BACKLOG);
        let mut inboxes = lock(&self.inboxes);
        if let Some(over) = &inboxes.over {
            return Err(over.clone());
        }
        // Whoever stopped waiting left an inbox that no answer may ever have emptied.
        inboxes.questions.retain(|_, inbox| !inbox.is_closed());
        inboxes.steps.retain(|_, inbox| !inbox.is_closed());
        register(&mut inboxes, sender);
        Ok(Answers { inbox, inboxes: Arc::clone(&self.inboxes) })
    }
}

fn encode(message: &ToHost) -> Result<Vec<u8>, HostError> {
    frame::encode(message).map_err(|error| HostError::Unable(error.to_string()))
}

fn gone(error: std::io::Error) -> HostError {
    HostError::Lost(match error.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::BrokenPipe => {
            "the connection was closed".to_owned()
        }
        _ => error.to_string(),
    })
}

async fn read_message(from: &mut (impl AsyncRead + Unpin)) -> Result<FromHost, HostError> {
    let mut header = [0; HEADER];
    from.read_exact(&mut header).await.map_err(gone)?;
    let length = frame::body_length(header).map_err(|error| HostError::Lost(error.to_string()))?;
    let mut body = vec![0; length];
    from.read_exact(&mut body).await.map_err(gone)?;
    decode_foreign(&body).map_err(|error| HostError::Lost(error.to_string()))
}

/// Hands every message to whoever waits for it, until the conversation ends.
async fn deliver_all(from: &mut (impl AsyncRead + Unpin), inboxes: &Mutex<Inboxes>) -> HostError {
    loop {
        let message = match read_message(from).await {
            Ok(message) => message,
            Err(error) => return error,
        };
        if let FromHost::Output { bytes, .. } = &message
            && bytes.len() > CHUNK
        {
            return HostError::Lost("its agent sent more output at once than it may".to_owned());
        }
        let inbox = {
            let mut inboxes = lock(inboxes);
            match &message {
                FromHost::Facts { id, .. }
                | FromHost::Balanced { id, .. }
                | FromHost::Sockets { id, .. }
                | FromHost::Vitals { id, .. } => inboxes.questions.remove(id),
                FromHost::Artifact { id, .. } => inboxes.questions.get(id).cloned(),
                FromHost::Accepted { token } | FromHost::Output { token, .. } => {
                    inboxes.steps.get(token).cloned()
                }
                FromHost::Ended { token, .. } => inboxes.steps.remove(token),
                FromHost::Refused { what: Subject::Question(id), .. } => inboxes.questions.remove(id),
                FromHost::Refused { what: Subject::Order(token), .. } => inboxes.steps.remove(token),
                FromHost::Refused { what: Subject::Session, refusal } => return refusal.clone().into(),
                FromHost::Hello { .. } => None,
            }
        };
        // Nobody may listen any more; then the message is of no use.
        if let Some(inbox) = inbox {
            let _ = inbox.send(message).await;
        }
    }
}

/// Returns when nothing more is said to the agent and it had the time to end by itself.
async fn hung_up(writing: tokio::task::JoinHandle<()>) -> HostError {
    let _ = writing.await;
    tokio::time::sleep(FAREWELL).await;
    HostError::Lost("its agent did not listen any more".to_owned())
}

/// The last part of what a child writes to its standard error.
async fn complaints(stderr: Option<tokio::process::ChildStderr>) -> String {
    const KEPT: usize = 4096;
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        if kept.len() > 2 * KEPT {
            kept.drain(..kept.len() - KEPT);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The pipes of an agent's process, as a conversation needs them. It is in a group of its own: Ctrl-C on a terminal is
/// meant for us, and must not cut the connections by which hosts are brought to a safe point.
pub(super) fn piped(command: &mut tokio::process::Command) -> &mut tokio::process::Command {
    crate::secrets::withhold(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
}
