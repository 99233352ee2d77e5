//! What is on its way to the controller: one queue, one writer. A controller that does not read is waited for, but
//! not for ever.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_api::agent::{FromHost, Refusal, Subject};
use andon_api::frame;

/// Messages that wait for the writer. With full chunks of output 4 MiB.
const QUEUE: usize = 16;

/// How long one message may take to be written before the controller counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last messages may take when the session is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// The controller does not read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the controller does not read any more")]
pub(super) struct Gone;

enum Parcel {
    Frame(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Whether a message is being written, and how many have been.
#[derive(Debug, Default)]
struct Progress {
    writing: bool,
    count: u64,
}

type Shared = Arc<(Mutex<Progress>, Condvar)>;

/// Takes messages from every thread.
#[derive(Clone)]
pub(super) struct Outbox {
    queue: SyncSender<Parcel>,
    /// Held while something must not be cut off by the end of this process.
    undisturbed: Arc<Mutex<()>>,
}

impl Outbox {
    /// Starts the writer. It ends the whole process when the controller is gone.
    pub(super) fn new(output: impl Write + Send + 'static) -> Self {
        let (queue, parcels) = sync_channel(QUEUE);
        let undisturbed = Arc::new(Mutex::new(()));
        let progress = Shared::default();
        let (watched, gate) = (Arc::clone(&progress), Arc::clone(&undisturbed));
        std::thread::spawn(move || {
            wait_for_a_stall(&watched);
            leave(&gate);
        });
        let gate = Arc::clone(&undisturbed);
        std::thread::spawn(move || {
            if write(output, &parcels, &progress).is_err() {
                leave(&gate);
            }
        });
        Self { queue, undisturbed }
    }

    /// Puts a message into the queue; waits while it is full.
    pub(super) fn send(&self, message: &FromHost) -> Result<(), Gone> {
        let frame = frame::encode(message).or_else(|error| {
            // An answer that is too long for a frame must not look like silence.
            let refusal = Refusal::Malformed(format!("the answer cannot be sent: {error}"));
            frame::encode(&FromHost::Refused { what: Subject::Session, refusal })
        });
        let frame = frame.map_err(|_| Gone)?;
        self.queue.send(Parcel::Frame(frame)).map_err(|_| Gone)
    }

    /// Does `work` without being cut off by a broken connection.
    pub(super) fn undisturbed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _guard = locked(&self.undisturbed);
        work()
    }

    /// Waits until all that was sent is written, for a short while.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Parcel::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FAREWELL);
        }
    }
}

fn write(mut output: impl Write, parcels: &Receiver<Parcel>, progress: &Shared) -> io::Result<()> {
    let note = |writing| {
        let mut progress_now = locked(&progress.0);
        progress_now.writing = writing;
        progress_now.count += 1;
        drop(progress_now);
        progress.1.notify_one();
    };
    for parcel in parcels {
        match parcel {
            Parcel::Frame(frame) => {
                note(true);
                output.write_all(&frame)?;
                output.flush()?;
                note(false);
            }
            // Whoever asked may have lost patience.
            Parcel::Flush(done) => drop(done.send(())),
        }
    }
    Ok(())
}

/// Returns when one message has been on its way for too long.
fn wait_for_a_stall((progress, changed): &(Mutex<Progress>, Condvar)) {
    let mut now = locked(progress);
    loop {
        if !now.writing {
            now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let begun = now.count;
        let waited = changed.wait_timeout_while(now, PATIENCE, |now| now.count == begun);
        let (later, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return;
        }
        now = later;
    }
}

/// Ends this process; steps go on. Waits for what must not be cut off.
fn leave(undisturbed: &Mutex<()>) -> ! {
    let _guard = locked(undisturbed);
    std::process::exit(0)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
