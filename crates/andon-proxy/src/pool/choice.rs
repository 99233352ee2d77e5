//! Which server gets the next request.
//!
//! Two are drawn by their weights, and the one with less under way for its weight is taken. While nothing is under way
//! anywhere the first draw stands, so that shares follow the weights at low load too; a plain "least connections" would
//! send everything to the heaviest server then.

use std::cell::Cell;
use std::sync::Arc;

use super::{InFlight, Pool, Server};

/// What a request asks of the choice.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// The opaque name of the server that the client is to stay with.
    pub stay: Option<&'a [u8]>,
    /// A server that is marked as canary, if there is one.
    pub canary: bool,
}

impl Pool {
    /// Chooses a server, and counts the request there. `None`: no server is available but, at most, those in `tried`.
    pub(crate) fn choose(&self, wanted: Wanted<'_>, tried: &[Arc<Server>]) -> Option<InFlight> {
        let fresh = |server: &Server| !tried.iter().any(|tried| std::ptr::eq(&**tried, server));
        if let Some(stay) = wanted.stay
            && let Some(server) = self.servers.iter().find(|server| server.id() == stay)
            && server.share() > 0
            && fresh(server)
            && (!wanted.canary || server.is_canary())
            && let Some(taken) = InFlight::begin(server)
        {
            return Some(taken);
        }
        if wanted.canary
            && let Some(taken) = self.draw(|server| server.is_canary() && fresh(server))
        {
            return Some(taken);
        }
        self.draw(fresh)
    }

    /// Draws among those that are available and satisfy `allowed`.
    fn draw(&self, allowed: impl Fn(&Server) -> bool) -> Option<InFlight> {
        loop {
            let share = |server: &Server| if allowed(server) { server.share() } else { 0 };
            let total: u64 = self.servers.iter().map(|server| share(server)).sum();
            if total == 0 {
                return None;
            }
            let at = |mut point: u64| {
                self.servers.iter().find(|server| {
                    let share = share(server);
                    let here = point < share;
                    point = point.saturating_sub(share);
                    here
                })
            };
            // A share may shrink between the sum and the draw: then the point lies beyond the end.
            let (Some(one), Some(other)) = (at(random() % total), at(random() % total)) else { continue };
            let chosen = if less_busy(other, one) { other } else { one };
            if let Some(taken) = InFlight::begin(chosen) {
                return Some(taken);
            }
        }
    }
}

/// Whether `one` has less under way for its weight than `other`.
fn less_busy(one: &Server, other: &Server) -> bool {
    one.in_flight() * other.share().max(1) < other.in_flight() * one.share().max(1)
}

/// A number that is random enough to spread load: SplitMix64, for each thread.
fn random() -> u64 {
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0) });
    STATE.with(|state| {
        let seed = match state.get() {
            // The address of a thread's own cell differs from that of the others.
            0 => std::ptr::from_ref(state) as u64,
            seed => seed,
        };
        let next = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
