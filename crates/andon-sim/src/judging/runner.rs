//! Runs the trials of rows on several threads. Which thread runs which trial changes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use andon_core::name::NameError;

use crate::generator::spread;
use crate::judging::row::Row;
use crate::judging::trial::{self, Outcome};

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Work done, in no unit that means anything.
    pub done: f64,
    /// All work.
    pub all: f64,
}

/// A row with its outcomes, in the order of its trials.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The row.
    pub row: Row,
    /// What came of each deployment.
    pub outcomes: Vec<Outcome>,
}

/// One deployment that is to be simulated.
struct Job {
    row: usize,
    trial: u64,
}

/// Runs so many trials of each row. `tell` hears of every finished one, from any thread.
pub fn run(
    rows: Vec<(Row, u64)>,
    seed: u64,
    threads: usize,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Vec<Ran>, NameError> {
    let jobs: Vec<Job> = (rows.iter().enumerate())
        .flat_map(|(row, (_, trials))| (0..*trials).map(move |trial| Job { row, trial }))
        .collect();
    let all = jobs.iter().map(|job| work(&rows[job.row].0)).sum();
    let (next, done) = (AtomicUsize::new(0), Mutex::new((0.0, Vec::with_capacity(jobs.len()))));
    let worker = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (row, _) = &rows[job.row];
            let outcome = trial::run(&row.setup, seed_of(seed, row, job.trial));
            let Ok(mut done) = done.lock() else { return };
            done.0 += work(row);
            done.1.push((job.row, job.trial, outcome));
            tell(Progress { done: done.0, all });
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| drop(scope.spawn(worker))));
    let mut outcomes = done.into_inner().map(|(_, outcomes)| outcomes).unwrap_or_default();
    outcomes.sort_by_key(|(row, trial, _)| (*row, *trial));
    let mut ran: Vec<Ran> = rows.into_iter().map(|(row, _)| Ran { row, outcomes: Vec::new() }).collect();
    for (row, _, outcome) in outcomes {
        ran[row].outcomes.push(outcome?);
    }
    Ok(ran)
}

/// How long one deployment takes, in an unknown unit: what the judge does once a tick takes about as long as 130 servers.
#[expect(clippy::cast_precision_loss, reason = "fleets are small")]
fn work(row: &Row) -> f64 {
    (row.setup.fleet.servers as f64 + 130.0) * row.setup.length / row.setup.tick
}

/// A seed of its own for every trial, whatever else is run.
fn seed_of(seed: u64, row: &Row, trial: u64) -> u64 {
    let name = format!("{:?} {} {:?}", row.section, row.name, row.setup.fleet);
    let of_row = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    spread(spread(seed ^ of_row).wrapping_add(trial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judging::fault::Fault;
    use crate::judging::fleet::Fleet;
    use crate::judging::row::{Section, rows};
    use crate::judging::trial::Setup;

    fn short(fault: Fault) -> Row {
        let fleet = Fleet { servers: 4, canaries: 1, rate: 50.0 };
        let setup = Setup { fault, onset: 60.0, tick: 2.0, length: 120.0, ..Setup::new(fleet) };
        let row = rows().into_iter().find(|row| row.section == Section::Gross).unwrap();
        Row { setup, ..row }
    }

    #[test]
    fn a_seed_gives_the_same_outcomes_on_any_number_of_threads() {
        let rows = || vec![(short(Fault::Failing(0.9)), 3), (short(Fault::None), 3)];
        let outcomes = |seed, threads| -> Vec<Vec<Outcome>> {
            let ran = run(rows(), seed, threads, &|_| ()).unwrap();
            ran.into_iter().map(|ran| ran.outcomes).collect()
        };
        let first = outcomes(1, 1);
        assert_eq!(first, outcomes(1, 3));
        assert_ne!(first, outcomes(2, 1));
    }

    #[test]
    fn what_fails_nearly_always_is_off_traffic_soon_and_what_is_well_stays() {
        let ran = run(vec![(short(Fault::Failing(0.9)), 4), (short(Fault::None), 4)], 7, 1, &|_| ()).unwrap();
        for outcome in &ran[0].outcomes {
            let after = outcome.cleared.unwrap() - outcome.onset;
            assert!(after > 0.0 && after < 10.0, "{outcome:?}");
            assert!(outcome.why.is_some());
        }
        assert!(ran[1].outcomes.iter().all(|outcome| outcome.cleared.is_none()));
    }

    #[test]
    fn every_row_has_a_seed_of_its_own() {
        let rows = rows();
        let mut seeds: Vec<u64> = rows.iter().map(|row| seed_of(1, row, 0)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), rows.len());
    }
}
