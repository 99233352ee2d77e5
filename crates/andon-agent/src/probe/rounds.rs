//! Asks every instance of a placement for its health, again and again and side by side, so that a slow one does not
//! hold up the others. Judges nothing.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use andon_core::host::Placement;

use super::{Answer, ask};

/// One answer.
#[derive(Debug)]
pub(crate) struct Round {
    /// The position of the instance in the placement.
    pub(crate) instance: usize,
    /// What it answered.
    pub(crate) answer: Answer,
}

/// Asks for as long as `listen` runs, and answers what that answers. Asks nothing where there is no health check.
/// Returns when the last question is answered, which takes at most the health check's time-out.
pub(crate) fn asking<R>(placement: &Placement, listen: impl FnOnce(&Receiver<Round>) -> R) -> R {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let mut stops = Vec::new();
        for (instance, one) in placement.instances.iter().enumerate() {
            let Some(health) = &placement.health else { break };
            let (stop, stopped) = mpsc::channel::<()>();
            let sender = sender.clone();
            let ask_on = move || {
                loop {
                    let answer = ask(&health.probe, placement, one, health.timeout);
                    let heard = sender.send(Round { instance, answer }).is_ok();
                    if !heard || stopped.recv_timeout(health.interval) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
            };
            // Without a thread there are no answers, and without answers nothing ever counts as healthy.
            let _ = thread::Builder::new().spawn_scoped(scope, ask_on);
            stops.push(stop);
        }
        let result = listen(&receiver);
        drop(stops);
        result
    })
}
