//! Evaluations: the judge as a service, for deployers that are not ours.
//!
//! A caller names two groups and what they are compared by; it gets a verdict. Everything that an evaluation hears is
//! kept in a recording before it counts, so a process that is killed goes on where it was, and comes to the same
//! verdict. This decides nothing: `andon_core::analysis` does.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_core::analysis::Entry;
use andon_core::digest::Digest;
use andon_core::time::Time;
use tokio::time::timeout;

use crate::clock;
use crate::recording::RecordingError;

mod asking;
mod evaluation;
mod folder;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod id;
mod request;
mod view;

pub use id::EvaluationId;
pub use request::{AskedMetric, Group, Kind, Request, Rules};
pub use view::{Advice, Counted, Life, MetricView, View, status_word, verdict_word};

use evaluation::Evaluation;
use folder::Folder;

/// Evaluations that run at once.
pub const MOST_RUNNING: usize = 200;
/// Evaluations that are kept, those that run among them. The oldest that are over make room.
pub const MOST_KEPT: usize = 10_000;
/// How long an evaluation that is over is kept.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// An evaluation that its caller tells nothing for so long is abandoned.
pub const SILENCE: Duration = Duration::from_secs(3600);
/// The longest wait for a verdict in one request.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often abandoned evaluations are looked for.
const ROUND: Duration = Duration::from_secs(30);

/// Why something about an evaluation was not done.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// There is none with this id.
    #[error("there is no evaluation {0}")]
    Unknown(EvaluationId),
    /// There is one with this id, and it was asked for in other words.
    #[error("evaluation {0} was asked for before, with another request")]
    Another(EvaluationId),
    /// The request makes no sense.
    #[error("{0}")]
    Unfit(String),
    /// As many run as may.
    #[error("{MOST_RUNNING} evaluations run, and no more may")]
    Crowded,
    /// It is over.
    #[error("evaluation {id} is over: {result}")]
    Over {
        /// Which.
        id: EvaluationId,
        /// How it ended.
        result: &'static str,
    },
    /// It gets its numbers by asking Prometheus.
    #[error("evaluation {0} asks for its numbers itself; nothing can be told to it")]
    Asks(EvaluationId),
    /// The disk says so.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A directory holds something else than it should.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A recording cannot be read or written.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// All evaluations of a server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Evaluations {
    dir: Arc<PathBuf>,
    all: Arc<Mutex<BTreeMap<EvaluationId, Kept>>>,
    /// Held while one is begun: of two requests with one id, the second sees the first.
    beginning: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone)]
enum Kept {
    Running(Arc<Evaluation>),
    Over { digest: Digest, accepted: Time },
}

impl Evaluations {
    /// Those below `dir`, which is made when it is missing. Those that were under way go on. Needs a runtime.
    ///
    /// # Errors
    /// The directory, or one in it, cannot be read. Sentences about evaluations that had to be left out come back.
    pub async fn open(dir: PathBuf) -> Result<(Self, Vec<String>), EvaluationError> {
        let at = dir.clone();
        let (all, resumed, complaints) = blocking(move || load(&at)).await?;
        let own = Self {
            dir: Arc::new(dir),
            all: Arc::new(Mutex::new(all)),
            beginning: Arc::new(tokio::sync::Mutex::new(())),
        };
        for evaluation in resumed {
            own.clone().run(evaluation);
        }
        own.prune().await?;
        let rounds = own.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ROUND).await;
                rounds.abandon().await;
            }
        });
        Ok((own, complaints))
    }

    /// Begins what is asked for; says whether it is new. The same request again is the same evaluation.
    ///
    /// # Errors
    /// The request makes no sense; another one has this id; too many run; the disk says no.
    pub async fn begin(&self, request: Request) -> Result<(Arc<View>, bool), EvaluationError> {
        let spec = request.spec().map_err(EvaluationError::Unfit)?;
        let digest = request.digest(&spec);
        let _one = self.beginning.lock().await;
        if let Some(kept) = self.kept(&request.id) {
            let before = match &kept {
                Kept::Running(evaluation) => evaluation.digest,
                Kept::Over { digest, .. } => *digest,
            };
            if before != digest {
                return Err(EvaluationError::Another(request.id));
            }
            return Ok((self.look(&request.id).await?, false));
        }
        if self.running().len() >= MOST_RUNNING {
            return Err(EvaluationError::Crowded);
        }
        self.prune().await?;
        let dir = Arc::clone(&self.dir);
        let evaluation = blocking(move || Evaluation::begin(&dir, request, spec, digest)).await?;
        let evaluation = Arc::new(evaluation);
        self.lock().insert(evaluation.id().clone(), Kept::Running(Arc::clone(&evaluation)));
        let view = evaluation.view();
        self.clone().run(evaluation);
        Ok((view, true))
    }

    /// How one stands.
    ///
    /// # Errors
    /// There is none; what is kept of it cannot be read.
    pub async fn look(&self, id: &EvaluationId) -> Result<Arc<View>, EvaluationError> {
        match self.kept(id) {
            None => Err(EvaluationError::Unknown(id.clone())),
            Some(Kept::Running(evaluation)) => Ok(evaluation.view()),
            Some(Kept::Over { .. }) => {
                let folder = Folder::of(&self.dir, id);
                let end = blocking(move || folder.end()).await?;
                end.map(Arc::new).ok_or_else(|| EvaluationError::Unknown(id.clone()))
            }
        }
    }

    /// As [`Evaluations::look`], once it is over or `wait` has passed; at most [`LONGEST_WAIT`].
    ///
    /// # Errors
    /// As [`Evaluations::look`].
    pub async fn wait(&self, id: &EvaluationId, wait: Duration) -> Result<Arc<View>, EvaluationError> {
        if let Some(Kept::Running(evaluation)) = self.kept(id) {
            let mut told = evaluation.told();
            let over = told.wait_for(|view| view.life != Life::Running);
            let _ = timeout(wait.min(LONGEST_WAIT), over).await;
            return Ok(evaluation.view());
        }
        self.look(id).await
    }

    /// Tells one what was seen. What is told twice counts once.
    ///
    /// # Errors
    /// There is none, it is over, it asks for itself, the entry cannot follow the one before, the disk says no.
    pub async fn tell(&self, id: &EvaluationId, entry: Entry) -> Result<Arc<View>, EvaluationError> {
        match self.kept(id) {
            None => Err(EvaluationError::Unknown(id.clone())),
            Some(Kept::Running(evaluation)) if evaluation.request.is_asked() => {
                Err(EvaluationError::Asks(id.clone()))
            }
            Some(Kept::Running(evaluation)) => {
                let told = blocking(move || evaluation.tell(entry)).await;
                self.settle(id);
                told
            }
            Some(Kept::Over { .. }) => {
                let result = self.look(id).await?.result();
                Err(EvaluationError::Over { id: id.clone(), result })
            }
        }
    }

    /// Ends one before its verdict. One that is over stays as it is.
    ///
    /// # Errors
    /// There is none; the disk says no.
    pub async fn stop(&self, id: &EvaluationId) -> Result<Arc<View>, EvaluationError> {
        self.finish(id, Life::Terminated).await
    }

    async fn finish(&self, id: &EvaluationId, life: Life) -> Result<Arc<View>, EvaluationError> {
        if let Some(Kept::Running(evaluation)) = self.kept(id) {
            let view = blocking(move || evaluation.finish(life)).await?;
            self.settle(id);
            return Ok(view);
        }
        self.look(id).await
    }

    /// Gives an entry to one that runs.
    async fn hear(&self, evaluation: Arc<Evaluation>, entry: Entry) -> Result<Arc<View>, EvaluationError> {
        let id = evaluation.id().clone();
        let heard = blocking(move || evaluation.hear(entry)).await;
        self.settle(&id);
        heard
    }

    /// Lets go of one that is over: what was told last is on the disk.
    fn settle(&self, id: &EvaluationId) {
        let mut all = self.lock();
        if let Some(Kept::Running(evaluation)) = all.get(id)
            && evaluation.view().life != Life::Running
        {
            let over = Kept::Over { digest: evaluation.digest, accepted: evaluation.accepted };
            all.insert(id.clone(), over);
        }
    }

    /// Looks for itself, where it is asked to.
    fn run(self, evaluation: Arc<Evaluation>) {
        if evaluation.request.is_asked() {
            tokio::spawn(asking::run(self, evaluation));
        }
    }

    /// Ends those that nobody tells anything any more.
    async fn abandon(&self) {
        let now = clock::now();
        for evaluation in self.running() {
            if now.since(evaluation.heard()) > SILENCE {
                // What cannot be noted now is noted in the next round.
                let _ = self.finish(evaluation.id(), Life::Abandoned).await;
            }
        }
    }

    /// Removes what is over and old, or over and too much.
    async fn prune(&self) -> Result<(), EvaluationError> {
        let (dir, out) = (Arc::clone(&self.dir), self.let_go());
        blocking(move || out.iter().try_for_each(|id| Folder::of(&dir, id).remove())).await
    }

    /// Forgets those that [`Evaluations::prune`] removes.
    fn let_go(&self) -> Vec<EvaluationId> {
        let now = clock::now();
        let mut all = self.lock();
        let over = |(id, kept): (&EvaluationId, &Kept)| match kept {
            Kept::Over { accepted, .. } => Some((*accepted, id.clone())),
            Kept::Running(_) => None,
        };
        let mut over: Vec<(Time, EvaluationId)> = all.iter().filter_map(over).collect();
        over.sort();
        let spare = (all.len() + 1).saturating_sub(MOST_KEPT);
        let old = |(place, (accepted, id)): (usize, (Time, EvaluationId))| {
            (place < spare || now.since(accepted) > KEPT).then_some(id)
        };
        let out: Vec<EvaluationId> = over.into_iter().enumerate().filter_map(old).collect();
        out.iter().for_each(|id| drop(all.remove(id)));
        out
    }

    fn kept(&self, id: &EvaluationId) -> Option<Kept> {
        self.lock().get(id).cloned()
    }

    fn running(&self) -> Vec<Arc<Evaluation>> {
        let running = |kept: &Kept| match kept {
            Kept::Running(evaluation) => Some(Arc::clone(evaluation)),
            Kept::Over { .. } => None,
        };
        self.lock().values().filter_map(running).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<EvaluationId, Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Loaded = (BTreeMap<EvaluationId, Kept>, Vec<Arc<Evaluation>>, Vec<String>);

/// Everything that is kept below `dir`; one that is damaged costs itself only.
fn load(dir: &Path) -> Result<Loaded, EvaluationError> {
    crate::private::directory(dir).map_err(|error| EvaluationError::Disk { path: dir.to_owned(), error })?;
    let (mut all, mut resumed, mut complaints) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (id, folder) in Folder::all(dir)? {
        match load_one(folder) {
            Ok(kept) => {
                if let Kept::Running(evaluation) = &kept {
                    resumed.push(Arc::clone(evaluation));
                }
                all.insert(id, kept);
            }
            Err(error) => complaints.push(format!("evaluation {id} is left out: {error}")),
        }
    }
    Ok((all, resumed, complaints))
}

fn load_one(folder: Folder) -> Result<Kept, EvaluationError> {
    let accepted = folder.accepted()?;
    let spec = accepted.request.spec().map_err(EvaluationError::Unfit)?;
    let digest = accepted.request.digest(&spec);
    let over = Kept::Over { digest, accepted: accepted.at };
    if folder.end()?.is_some() {
        return Ok(over);
    }
    let evaluation = Evaluation::resume(folder, accepted, digest)?;
    let running = evaluation.view().life == Life::Running;
    Ok(if running { Kept::Running(Arc::new(evaluation)) } else { over })
}

/// Work that waits for the disk, away from the threads that answer.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EvaluationError> + Send + 'static,
) -> Result<T, EvaluationError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(EvaluationError::Disk { path: PathBuf::from("."), error: io::Error::other(error) }),
    }
}
