//! What goes on beside the answers of a server: messages are delivered, the balancers of the line are counted, the line is
//! read again when it changes, and systemd hears how things stand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::digest::Digest;
use andon_server::history::Sampler;
use andon_server::lines::{LineKeeper, Reread};
use andon_server::workshop::Workshop;
use andon_server::{Controller, clock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::say;
use super::notify::{heartbeat, notify};
use crate::screen::legible;

/// How often the file of the line is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// So often all that it loads is read as well.
const WHOLE: Duration = Duration::from_secs(30);

/// All that, until it is dropped.
pub(super) struct Background {
    _courier: oneshot::Sender<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Background {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Begins all of it. A server that is not `loud` says nothing of it: it is the page of somebody who tells and counts
/// by himself, and neither delivers messages nor keeps a history.
pub(super) async fn begin(
    controller: &Controller,
    workshop: &Workshop,
    line: &LineKeeper,
    data: &Path,
    loud: bool,
) -> Background {
    if loud && let Err(error) = controller.outbox().catch_up().await {
        say(&format!("what people should have been told cannot be found: {}", legible(&error.to_string())));
    }
    let (courier, stop) = oneshot::channel();
    if loud {
        tokio::spawn(controller.outbox().clone().courier(stop));
    }
    let mut reader = Reader {
        controller: controller.clone(),
        line: line.clone(),
        data: data.to_owned(),
        loud,
        sampling: None,
        counted: None,
    };
    reader.sample();
    let tasks = vec![tokio::spawn(reader.read()), tokio::spawn(tell_systemd(workshop.clone()))];
    Background { _courier: courier, tasks }
}

/// Reads the line again, and counts what stands behind the balancers of the newest one.
struct Reader {
    controller: Controller,
    line: LineKeeper,
    data: PathBuf,
    loud: bool,
    sampling: Option<Sampling>,
    /// Which line is counted.
    counted: Option<Digest>,
}

/// The sampler of one line.
struct Sampling(JoinHandle<()>);

impl Drop for Sampling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    async fn read(mut self) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut whole = tokio::time::Instant::now();
        loop {
            let asked = async {
                match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            let asked = tokio::select! {
                () = asked => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            // A request may have read the line first.
            if self.line_now() != self.counted {
                self.told("the line has changed; it counts from now on");
                self.sample();
            }
            if !asked && !self.line.is_touched() && whole.elapsed() < WHOLE {
                continue;
            }
            whole = tokio::time::Instant::now();
            let line = self.line.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || line.read_again()).await else { continue };
            match read {
                Reread::Same if asked => self.told("the line was read again and says the same"),
                Reread::New | Reread::Same => {}
                Reread::Broken(why) => {
                    let goes_on =
                        if self.line.current().is_ok() { "; the one before it counts on" } else { "" };
                    self.told(&format!("the line cannot be used: {}{goes_on}", legible(&why)));
                }
            }
        }
    }

    fn line_now(&self) -> Option<Digest> {
        self.line.current().ok().map(|line| line.loaded.digest)
    }

    fn told(&self, sentence: &str) {
        if self.loud {
            say(sentence);
        }
    }

    /// Counts what the line says now. Without a line that can be read there is no history, and it is said.
    fn sample(&mut self) {
        self.sampling = None;
        self.counted = self.line_now();
        if !self.loud {
            return;
        }
        let scopes = match self.line.current() {
            Ok(line) => line.sampled(),
            Err(why) => {
                self.told(&format!("no history is kept: {}", legible(&why)));
                return;
            }
        };
        if scopes.is_empty() {
            return;
        }
        let names: Vec<String> = scopes.iter().map(|scope| scope.scope.to_string()).collect();
        self.told(&format!("the history of {} is kept", names.join(", ")));
        let (sampler, loud) = (Sampler::new(&self.data, scopes), self.loud);
        let told = move |sentence: &str| {
            if loud {
                say(&legible(sentence));
            }
        };
        self.sampling = Some(Sampling(tokio::spawn(sampler.run(self.controller.clone(), clock::now, told))));
    }
}

/// What is driven here, in a line of `systemctl status`; and a sign of life, where one is wanted.
async fn tell_systemd(workshop: Workshop) {
    /// How often it is looked whether something else is driven.
    const PACE: Duration = Duration::from_secs(2);
    let heartbeat = heartbeat();
    let pace = heartbeat.map_or(PACE, |beat| beat.min(PACE));
    let mut said = String::new();
    loop {
        let going = workshop.under_way();
        let numbers: Vec<String> = going.iter().take(8).map(ToString::to_string).collect();
        let more = if going.len() > numbers.len() { " and others" } else { "" };
        let status = match numbers.as_slice() {
            [] => "STATUS=nothing is under way".to_owned(),
            _ => format!("STATUS=drives {}{more}", numbers.join(", ")),
        };
        if status != said {
            notify(&status);
            said = status;
        }
        if heartbeat.is_some() {
            notify("WATCHDOG=1");
        }
        tokio::time::sleep(pace).await;
    }
}
