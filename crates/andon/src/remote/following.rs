//! A deployment that is driven elsewhere, as if it were driven here: its facts are folded as they come, and what is in no
//! ledger is taken as it is told. A connection that breaks is made again, and goes on where it was.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::Duration;

use andon_core::analysis::Standing;
use andon_core::deployment::{Deployment, DeploymentId};
use andon_core::time::Time;
use andon_server::{Entry, Going, Problem, Progress, Records, RecordsError, Round, SharedNumbers, Versioned};
use andon_store::StoreError;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::wire::{Wire, Wrong};
use crate::failure::Failure;

/// A stream that has not ended by itself within this time is dead.
const STRETCH: Duration = Duration::from_secs(40);
/// The pause before a broken connection is made again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pause after a server has said that it is about to end: long enough to be read.
const LEAVING: Duration = Duration::from_secs(3);
/// A server that was not heard for so long is given up.
const GIVE_UP: Duration = Duration::from_secs(15 * 60);
/// The longest event, in bytes.
const LONGEST: u64 = 64 << 20;

/// What the server tells.
#[derive(Debug)]
enum Event {
    Facts {
        after: u64,
        entries: Vec<Entry>,
    },
    Live(Box<Live>),
    Stumbled(Box<Problem>),
    Leaving,
    /// The stream is over: well, or not.
    Over(Option<Wrong>),
}

#[derive(Debug, Deserialize)]
struct Facts {
    after: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Live {
    behind: Option<(DeploymentId, Time)>,
    standing: Option<Standing>,
    round: Round,
}

/// Follows `deployment` from where it is known to its end.
pub(super) fn follow(
    wire: Wire,
    records: Records,
    trouble: Arc<watch::Sender<Option<String>>>,
    deployment: Versioned<Deployment>,
) -> Going {
    let id = deployment.value.id;
    let (progress, watching) = watch::channel(Progress {
        deployment: Arc::new(deployment.value.clone()),
        behind: None,
        round: Arc::default(),
        numbers: SharedNumbers::default(),
        standing: None,
    });
    let follower = Follower { wire, records, trouble, deployment, progress };
    Going { id, progress: watching, end: tokio::spawn(follower.watch_to_the_end()) }
}

/// Whether nobody answered. What somebody answered is no reason to ask again.
pub(super) fn is_unheard(error: &RecordsError) -> bool {
    matches!(error, RecordsError::Store(StoreError::Unavailable { .. }))
}

/// Why a connection ended before it should.
struct Trouble {
    words: String,
    /// Whether the server said that it would.
    leaving: bool,
}

struct Follower {
    wire: Wire,
    records: Records,
    trouble: Arc<watch::Sender<Option<String>>>,
    deployment: Versioned<Deployment>,
    progress: watch::Sender<Progress>,
}

impl Follower {
    async fn watch_to_the_end(mut self) -> Result<Deployment, Problem> {
        let (mut pause, mut heard) = (PAUSE, tokio::time::Instant::now());
        while !self.deployment.value.state.is_terminal() {
            match self.stretch(&mut heard).await? {
                None => {
                    pause = PAUSE;
                    self.trouble.send_replace(None);
                }
                Some(Trouble { words, leaving }) => {
                    if leaving {
                        pause = LEAVING;
                    }
                    if heard.elapsed() >= GIVE_UP {
                        let why = format!("{words}; it was tried for {} min", GIVE_UP.as_secs() / 60);
                        return Err(RecordsError::Elsewhere(why).into());
                    }
                    self.trouble.send_replace(Some(words));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.trouble.send_replace(None);
        Ok(self.deployment.value)
    }

    /// One connection to its end. Says what was wrong with it; nothing when it ended by itself.
    async fn stretch(&mut self, heard: &mut tokio::time::Instant) -> Result<Option<Trouble>, Problem> {
        let (say, mut said) = mpsc::channel(16);
        let path =
            format!("/v1/deployments/{}/progress?after={}", self.deployment.value.id.0, self.deployment.seq);
        let wire = self.wire.clone();
        // It ends with the stream, or when nobody hears it any more.
        tokio::task::spawn_blocking(move || listen(&wire, &path, &say));
        while let Some(event) = said.recv().await {
            match event {
                Event::Over(None) => return Ok(None),
                Event::Over(Some(Wrong::Broken(failure))) => {
                    return Ok(Some(Trouble { words: failure.what, leaving: false }));
                }
                Event::Over(Some(Wrong::Problem(problem))) => return Err(problem),
                Event::Over(Some(wrong)) => {
                    return Err(RecordsError::Elsewhere(Failure::from(wrong).what).into());
                }
                Event::Leaving => {
                    *heard = tokio::time::Instant::now();
                    let words = format!("{} is about to end; it goes on when it is back", self.wire.url());
                    return Ok(Some(Trouble { words, leaving: true }));
                }
                Event::Stumbled(problem) => return Err(*problem),
                Event::Facts { after, entries } => match self.take_in(after, &entries).await {
                    Ok(()) => {}
                    Err(error) if is_unheard(&error) => {
                        return Ok(Some(Trouble { words: error.to_string(), leaving: false }));
                    }
                    Err(error) => return Err(error.into()),
                },
                Event::Live(live) => self.progress.send_modify(|progress| {
                    progress.behind = live.behind;
                    progress.round = Arc::new(live.round);
                    if let Some(standing) = live.standing {
                        progress.standing = Some(Arc::new(standing));
                    }
                }),
            }
            *heard = tokio::time::Instant::now();
            self.trouble.send_if_modified(|trouble| trouble.take().is_some());
            if self.deployment.value.state.is_terminal() {
                return Ok(None);
            }
        }
        Ok(Some(Trouble { words: format!("{} broke off", self.wire.url()), leaving: false }))
    }

    async fn take_in(&mut self, after: u64, entries: &[Entry]) -> Result<(), RecordsError> {
        if after == self.deployment.seq {
            for entry in entries {
                self.deployment.value.apply(entry.at, &entry.fact);
                self.deployment.seq += 1;
                self.publish();
            }
            return Ok(());
        }
        self.records.refresh(&mut self.deployment).await?;
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        let deployment = Arc::new(self.deployment.value.clone());
        self.progress.send_modify(|progress| {
            if deployment.plan.is_some() {
                progress.behind = None;
            }
            progress.deployment = deployment;
        });
    }
}

/// Reads one stream of events, and passes them on until it is over or nobody hears.
fn listen(wire: &Wire, path: &str, say: &mpsc::Sender<Event>) {
    let over = match wire.stream(path, STRETCH) {
        Ok(body) => events(body, say),
        Err(wrong) => Some(wrong),
    };
    let _ = say.blocking_send(Event::Over(over));
}

fn events(body: impl Read, say: &mpsc::Sender<Event>) -> Option<Wrong> {
    let mut lines = BufReader::new(body);
    let (mut name, mut data) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        match (&mut lines).take(LONGEST).read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(Wrong::Broken(Failure::broken(error.to_string()))),
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(value) = line.strip_prefix("event: ") {
            value.clone_into(&mut name);
        } else if let Some(value) = line.strip_prefix("data: ") {
            value.clone_into(&mut data);
        } else if line.is_empty() && !name.is_empty() {
            match event(&name, &data) {
                Ok(Some(event)) => {
                    if say.blocking_send(event).is_err() {
                        return None;
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let what = format!("what the server tells of {name} cannot be understood: {error}");
                    return Some(Failure::broken(what).into());
                }
            }
            (name, data) = (String::new(), String::new());
        }
    }
}

/// What an event means; nothing for one that a newer server tells.
fn event(name: &str, data: &str) -> Result<Option<Event>, serde_json::Error> {
    Ok(Some(match name {
        "facts" => {
            let Facts { after, entries } = serde_json::from_str(data)?;
            Event::Facts { after, entries }
        }
        "live" => Event::Live(Box::new(serde_json::from_str(data)?)),
        "stumbled" => Event::Stumbled(Box::new(serde_json::from_str(data)?)),
        "leaving" => Event::Leaving,
        _ => return Ok(None),
    }))
}
