//! What the terminal and the system say to a command that changes hosts: stop, stop at once, nobody is here any more.
//! Listens from the first moment of a command, so that nothing is lost between planning and watching.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::exit;
use crate::failure::Failure;

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// Ctrl-C, or SIGTERM from a supervisor: bring it to an end in good order; the second time, at once.
    Stop,
    /// The terminal is gone: nobody reads any more.
    Gone,
}

/// A listener to signals.
pub(crate) struct Signals {
    said: mpsc::Receiver<Said>,
    any: watch::Receiver<bool>,
}

/// Signals that wait for somebody to act on them; further ones say nothing new.
const BACKLOG: usize = 8;

impl Signals {
    /// Listens from now on. What these signals usually do, they do not do to this process any more.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (say, said) = mpsc::channel(BACKLOG);
        let (raise, any) = watch::channel(false);
        let kinds = [
            (SignalKind::interrupt(), Said::Stop),
            (SignalKind::terminate(), Said::Stop),
            (SignalKind::hangup(), Said::Gone),
        ];
        for (kind, meaning) in kinds {
            let mut heard = signal(kind)
                .map_err(|error| Failure::broken(format!("signals cannot be waited for: {error}")))?;
            let (say, raise) = (say.clone(), raise.clone());
            tokio::spawn(async move {
                while heard.recv().await.is_some() {
                    raise.send_replace(true);
                    let _ = say.try_send(meaning);
                }
            });
        }
        Ok(Self { said, any })
    }

    /// What is said next.
    pub(crate) async fn next(&mut self) -> Said {
        match self.said.recv().await {
            Some(said) => said,
            // The senders live as long as the runtime does.
            None => std::future::pending().await,
        }
    }

    /// Becomes true with the first signal of any kind.
    pub(crate) fn any(&self) -> watch::Receiver<bool> {
        self.any.clone()
    }

    /// Does `work`, which changes nothing, unless a signal comes first.
    pub(crate) async fn unless_left<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut any = self.any.clone();
        tokio::select! {
            done = work => Ok(done),
            Ok(_) = any.wait_for(|raised| *raised) => Err(left()),
        }
    }
}

/// A command that was left before it did anything.
pub(crate) fn left() -> Failure {
    Failure { code: exit::LEFT, ..Failure::refused("left; nothing has been changed") }
}
