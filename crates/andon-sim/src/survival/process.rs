//! One process of a controller: what it does ends at once when it is killed, and stands still while its machine sleeps.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock;

/// A machine that people run controllers on.
#[derive(Debug, Default)]
pub struct Machine {
    asleep_until: Mutex<Duration>,
}

impl Machine {
    /// It sleeps for so long.
    pub fn sleeps(&self, span: Duration) {
        let until = clock::elapsed() + span;
        let mut asleep = self.asleep_until.lock().unwrap_or_else(PoisonError::into_inner);
        *asleep = (*asleep).max(until);
    }

    fn asleep_until(&self) -> Duration {
        *self.asleep_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At which append a process is killed, and whether that takes effect.
#[derive(Debug, Clone, Copy)]
pub struct Doom {
    /// Counted from 1, from now.
    pub nth: usize,
    /// Whether the append takes effect.
    pub after: bool,
}

/// A process.
#[derive(Debug)]
pub struct Process {
    /// The number of its machine.
    pub machine: usize,
    on: Arc<Machine>,
    dead: AtomicBool,
    death: Notify,
    appends: AtomicUsize,
    doom: Mutex<Option<(usize, bool)>>,
    fulfilled: Mutex<Option<bool>>,
}

impl Process {
    /// A process that lives.
    pub fn new(machine: usize, on: &Arc<Machine>) -> Arc<Self> {
        Arc::new(Self {
            machine,
            on: Arc::clone(on),
            dead: AtomicBool::new(false),
            death: Notify::new(),
            appends: AtomicUsize::new(0),
            doom: Mutex::default(),
            fulfilled: Mutex::default(),
        })
    }

    /// Returns while it lives and its machine is awake; never again once it is dead.
    pub async fn alive(&self) {
        loop {
            if self.is_dead() {
                pending::<()>().await;
            }
            let (now, until) = (clock::elapsed(), self.on.asleep_until());
            if now >= until {
                return;
            }
            tokio::time::sleep(until - now).await;
        }
    }

    /// Whether it was killed.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// It is killed. Whether it lived until now.
    pub fn is_killed(&self) -> bool {
        let lived = !self.dead.swap(true, Ordering::SeqCst);
        self.death.notify_waiters();
        self.death.notify_one();
        lived
    }

    /// Whether it was killed at an append, and if so whether after it took effect.
    pub fn died_at_append(&self) -> Option<bool> {
        *self.fulfilled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is killed now, and does not even notice.
    pub async fn die(&self) -> ! {
        self.is_killed();
        pending().await
    }

    /// Returns when it is killed.
    pub async fn death(&self) {
        while !self.is_dead() {
            self.death.notified().await;
        }
    }

    /// It will be killed at an append.
    pub fn is_doomed(&self, doom: Doom) {
        let at = self.appends.load(Ordering::SeqCst) + doom.nth;
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, doom.after));
    }

    /// It is about to append: whether it is killed before or after that.
    pub fn appends(&self) -> Option<Doom> {
        let nth = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let doom = *self.doom.lock().unwrap_or_else(PoisonError::into_inner);
        let doom = doom.filter(|(at, _)| *at == nth).map(|(_, after)| Doom { nth, after });
        if let Some(doom) = doom {
            *self.fulfilled.lock().unwrap_or_else(PoisonError::into_inner) = Some(doom.after);
        }
        doom
    }
}
