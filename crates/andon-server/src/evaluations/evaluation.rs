//! One evaluation under way: hears entries one by one, keeps each before it counts, and tells how it stands.

use std::sync::{Arc, Mutex, PoisonError};

use andon_core::analysis::{Baseline, Entry, Judge, Spec};
use andon_core::digest::Digest;
use andon_core::time::Time;
use tokio::sync::watch;

use super::folder::{Accepted, Folder};
use super::request::Request;
use super::view::{Life, View};
use super::{EvaluationError, EvaluationId};
use crate::clock;
use crate::recording::{Head, Recording, RecordingWriter};

/// Members of one tick.
const MOST_MEMBERS: usize = 4_000;

/// One evaluation under way.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) request: Request,
    pub(super) accepted: Time,
    pub(super) digest: Digest,
    spec: Spec,
    folder: Folder,
    live: Mutex<Live>,
    told: watch::Sender<Arc<View>>,
}

#[derive(Debug)]
struct Live {
    judge: Judge,
    writer: RecordingWriter,
    /// The last entry: one that is told twice counts once.
    last: Option<Entry>,
    /// When the last entry was heard, by our own clock.
    heard: Time,
    life: Life,
}

impl Evaluation {
    /// Begins one in a directory of its own.
    pub(super) fn begin(
        dir: &std::path::Path,
        request: Request,
        spec: Spec,
        digest: Digest,
    ) -> Result<Self, EvaluationError> {
        let accepted = Accepted { at: clock::now(), request };
        let head = Head::new(spec, Baseline::default());
        let (folder, writer) = Folder::create(dir, &accepted, &head)?;
        let recording = Recording { head, entries: Vec::new(), torn: 0 };
        Ok(Self::new(folder, accepted, digest, writer, &recording))
    }

    /// Goes on with one that was under way when its process ended.
    pub(super) fn resume(
        folder: Folder,
        accepted: Accepted,
        digest: Digest,
    ) -> Result<Self, EvaluationError> {
        let (writer, recording) = folder.resume()?;
        let evaluation = Self::new(folder, accepted, digest, writer, &recording);
        // The process may have ended between the entry that decided and the note of the end.
        let mut live = evaluation.lock();
        if live.judge.standing().verdict.is_some() {
            evaluation.end(&mut live, Life::Judged)?;
        }
        drop(live);
        Ok(evaluation)
    }

    fn new(
        folder: Folder,
        accepted: Accepted,
        digest: Digest,
        writer: RecordingWriter,
        recording: &Recording,
    ) -> Self {
        let (judge, spec) = (recording.judge(), recording.head.spec.clone());
        let Accepted { at, request } = accepted;
        let view = View::of(&request.id, at, &spec, judge.standing(), Life::Running);
        let live = Live {
            judge,
            writer,
            last: recording.entries.last().cloned(),
            heard: clock::now(),
            life: Life::Running,
        };
        let told = watch::Sender::new(Arc::new(view));
        Self { request, accepted: at, digest, spec, folder, live: Mutex::new(live), told }
    }

    pub(super) fn id(&self) -> &EvaluationId {
        &self.request.id
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How it stands, now and later.
    pub(super) fn told(&self) -> watch::Receiver<Arc<View>> {
        self.told.subscribe()
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.told.borrow())
    }

    /// When the last entry was heard.
    pub(super) fn heard(&self) -> Time {
        self.lock().heard
    }

    /// Hears an entry of its caller. It is on the disk when this returns; what is told twice counts once. Blocks.
    ///
    /// # Errors
    /// As [`Evaluation::hear`]; or the entry cannot follow the one before.
    pub(super) fn tell(&self, entry: Entry) -> Result<Arc<View>, EvaluationError> {
        let last = self.lock().last.clone();
        if last.as_ref() == Some(&entry) {
            return Ok(self.view());
        }
        self.check(&entry, last.as_ref())?;
        self.hear(entry)
    }

    /// Hears one entry. It is on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// It is over; the disk says no.
    pub(super) fn hear(&self, entry: Entry) -> Result<Arc<View>, EvaluationError> {
        let mut live = self.lock();
        if live.life != Life::Running {
            return Err(EvaluationError::Over { id: self.id().clone(), result: self.view().result() });
        }
        if let Err(error) = live.writer.append(&entry) {
            // What cannot be remembered must not be judged.
            if matches!(error, crate::recording::RecordingError::Full { .. }) {
                self.end(&mut live, Life::Abandoned)?;
            }
            return Err(error.into());
        }
        live.judge.apply(&entry);
        live.last = Some(entry);
        live.heard = clock::now();
        let standing = live.judge.standing();
        if standing.verdict.is_some() {
            self.end(&mut live, Life::Judged)?;
        } else {
            let view = View::of(self.id(), self.accepted, &self.spec, standing, Life::Running);
            self.told.send_replace(Arc::new(view));
        }
        Ok(self.view())
    }

    fn check(&self, entry: &Entry, last: Option<&Entry>) -> Result<(), EvaluationError> {
        let wrong = |why: String| Err(EvaluationError::Unfit(why));
        if let Entry::Tick(tick) = entry {
            if tick.members.len() > MOST_MEMBERS {
                return wrong(format!("a tick has at most {MOST_MEMBERS} members"));
            }
            let most = self.spec.metrics.len();
            if let Some((name, _)) = tick.members.iter().find(|(_, seen)| seen.readings.len() > most) {
                return wrong(format!("{name} has more readings than there are metrics, {most}"));
            }
            if tick.over.is_zero() {
                return wrong("over is 0: a tick is a stretch of time, in milliseconds".to_owned());
            }
        }
        match last.map(time_of) {
            Some(before) if time_of(entry) < before => wrong(format!(
                "at is {}, before the entry that was told last, {}",
                time_of(entry).0,
                before.0
            )),
            Some(before)
                if matches!(entry, Entry::Tick(_))
                    && time_of(entry) == before
                    && matches!(last, Some(Entry::Tick(_))) =>
            {
                wrong(format!("another tick with at {} was told already", before.0))
            }
            _ => Ok(()),
        }
    }

    /// Ends it without a verdict. One that is over stays as it is. Blocks.
    pub(super) fn finish(&self, life: Life) -> Result<Arc<View>, EvaluationError> {
        let mut live = self.lock();
        if live.life == Life::Running {
            self.end(&mut live, life)?;
        }
        drop(live);
        Ok(self.view())
    }

    fn end(&self, live: &mut Live, life: Life) -> Result<(), EvaluationError> {
        let mut view = View::of(self.id(), self.accepted, &self.spec, live.judge.standing(), life);
        match life {
            Life::Terminated => {
                view.sentence = format!("stopped by its caller; until then: {}", view.sentence)
            }
            Life::Abandoned => {
                view.sentence = format!("nothing more could be heard; until then: {}", view.sentence)
            }
            Life::Running | Life::Judged => {}
        }
        self.folder.write_end(&view)?;
        live.life = life;
        self.told.send_replace(Arc::new(view));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When an entry was.
pub(super) fn time_of(entry: &Entry) -> Time {
    match entry {
        Entry::Stage { at } => *at,
        Entry::Tick(tick) => tick.at,
    }
}
