//! The clocks of simulated machines: each runs with the simulated time, and can be wrong by any span.
//!
//! A controller takes its clock as a plain function, so there is one function for each machine of the thread's story.

use std::cell::RefCell;
use std::time::Duration;

use andon_core::time::Time;
use andon_server::clock::Clock;
use tokio::time::Instant;

/// Machines that have a clock: as many as there are people.
pub const MACHINES: usize = 4;

/// The moment at which every story begins.
const BEGINNING: Time = Time(1_700_000_000_000);

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

#[derive(Clone, Copy)]
struct State {
    began: Instant,
    /// When the story proper began, after what went before.
    story: Duration,
    /// By how many milliseconds each clock is ahead.
    wrong: [i64; MACHINES],
}

/// Sets all clocks of this thread to the beginning of a story, in a runtime whose time is simulated.
pub fn begin() {
    let state = State { began: Instant::now(), story: Duration::ZERO, wrong: [0; MACHINES] };
    STATE.with(|cell| *cell.borrow_mut() = Some(state));
}

/// The story proper begins now.
pub fn story_begins() {
    let now = elapsed();
    STATE.with(|cell| {
        if let Some(state) = cell.borrow_mut().as_mut() {
            state.story = now;
        }
    });
}

/// The present moment in seconds since the story proper began; negative before that.
pub fn told() -> f64 {
    let story = STATE.with(|cell| cell.borrow().map_or(Duration::ZERO, |state| state.story));
    elapsed().as_secs_f64() - story.as_secs_f64()
}

/// How far everything has gone.
pub fn elapsed() -> Duration {
    STATE.with(|cell| cell.borrow().map_or(Duration::ZERO, |state| state.began.elapsed()))
}

/// Puts the clock of a machine forward, or back, by so many milliseconds.
pub fn jump(machine: usize, millis: i64) {
    STATE.with(|cell| {
        if let Some(wrong) = cell.borrow_mut().as_mut().and_then(|state| state.wrong.get_mut(machine)) {
            *wrong += millis;
        }
    });
}

/// The clock of a machine.
pub fn of(machine: usize) -> Clock {
    const CLOCKS: [Clock; MACHINES] = [read::<0>, read::<1>, read::<2>, read::<3>];
    CLOCKS[machine % MACHINES]
}

fn read<const MACHINE: usize>() -> Time {
    let wrong = STATE.with(|cell| cell.borrow().map_or(0, |state| state.wrong[MACHINE]));
    Time((BEGINNING + elapsed()).0 + wrong)
}
