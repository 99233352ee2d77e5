//! Many writers that are killed at any moment: what was acknowledged is there, once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use super::InDirectory;
use super::crash::{acknowledged, start_writer};
use crate::Ledger;
use crate::suite::Stand;

/// Rounds, unless `ANDON_ROUNDS` says otherwise. `ANDON_SEED` makes them other ones.
const ROUNDS: u64 = 8;
const WRITERS: u64 = 3;

/// A number from the environment.
fn given(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// SplitMix64 (S. Vigna): a few good numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Hears everything that a writer acknowledges, to its end, and tells of each that something was.
fn listen(child: &mut Child, heard: Sender<()>) -> JoinHandle<Vec<u64>> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    spawn(move || {
        let numbers = lines.map_while(Result::ok).filter_map(|line| acknowledged(&line));
        let mut all = Vec::new();
        for number in numbers {
            all.push(number);
            // Once all have been killed, nobody counts any more.
            let _ = heard.send(());
        }
        all
    })
}

#[tokio::test]
async fn writers_killed_in_a_storm_lose_nothing_that_was_acknowledged() {
    let stand = InDirectory::new();
    let mut numbers = Numbers(given("ANDON_SEED", 17));
    let mut acknowledged = BTreeSet::new();
    for round in 0..given("ANDON_ROUNDS", ROUNDS) {
        let (heard, hears) = channel();
        let first = |writer| (round * WRITERS + writer) * 1_000_000;
        let mut children: Vec<Child> =
            (0..WRITERS).map(|writer| start_writer(&stand, first(writer), 1_000_000)).collect();
        let listeners: Vec<_> = children.iter_mut().map(|child| listen(child, heard.clone())).collect();
        drop(heard);
        for child in &mut children {
            // One after the other, so that the rest goes on over what the killed one left behind.
            for _ in 0..=numbers.below(40) {
                hears.recv().expect("the writers go on for long");
            }
            sleep(Duration::from_micros(numbers.below(3_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for listener in listeners {
            acknowledged.extend(listener.join().unwrap());
        }
        let ledger = stand.open().await;
        let kept = kept(&ledger).await;
        let all: BTreeSet<u64> = kept.iter().copied().collect();
        assert_eq!(all.len(), kept.len(), "round {round}: something was recorded twice");
        let lost: Vec<_> = acknowledged.difference(&all).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        assert_eq!(ledger.verify().await.unwrap().fault, None, "round {round}");
    }
    println!("{} acknowledged in {} rounds", acknowledged.len(), given("ANDON_ROUNDS", ROUNDS));
}

async fn kept(ledger: &crate::SqliteLedger) -> Vec<u64> {
    let (mut kept, mut after) = (Vec::new(), 0);
    loop {
        let page = ledger.tail(after, 10_000).await.unwrap();
        let Some(last) = page.last() else { return kept };
        after = last.position;
        kept.extend(page.iter().filter_map(|record| record.fact["number"].as_u64()));
    }
}
