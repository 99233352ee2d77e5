//! Processes that die, processes that compete, and callers that give up half-way.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::task::Poll;

use super::InDirectory;
use crate::suite::{Stand, batch, fact};
use crate::{Ledger, SqliteLedger, StoreError};

/// The variables by which the writing process is told what to do.
const PATH: &str = "ANDON_TEST_LEDGER";
const FIRST: &str = "ANDON_TEST_FIRST";
const COUNT: &str = "ANDON_TEST_COUNT";

/// Starts a process that appends the facts `first..first + count` to the stream `a`, one by one.
pub(super) fn start_writer(stand: &InDirectory, first: u64, count: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "sqlite::tests::crash::a_writing_process"])
        .env(PATH, stand.path())
        .env(FIRST, first.to_string())
        .env(COUNT, count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "it is not a test: other tests start it as a process of its own"]
async fn a_writing_process() {
    let variable = |name| std::env::var(name).expect("only the other tests start this");
    let first: u64 = variable(FIRST).parse().unwrap();
    let count: u64 = variable(COUNT).parse().unwrap();
    let ledger = SqliteLedger::open(variable(PATH)).await.unwrap();
    append_each(&ledger, first, count).await;
}

/// Appends facts one by one and says so after each.
async fn append_each(ledger: &SqliteLedger, first: u64, count: u64) {
    let mut expected = 0;
    for number in first..first + count {
        loop {
            match ledger.append(batch("a", expected, [fact(number)])).await {
                Ok(_) => break,
                Err(StoreError::Conflict { found, .. }) => expected = found,
                Err(error) => panic!("{error}"),
            }
        }
        expected += 1;
        println!("\nacknowledged {number}");
    }
}

pub(super) fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.parse().ok()
}

async fn kept(ledger: &SqliteLedger) -> Vec<u64> {
    let records = ledger.read("a", 0, 10_000).await.unwrap();
    records.iter().filter_map(|record| record.fact["number"].as_u64()).collect()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let stand = InDirectory::new();
    let mut total = 0;
    for kill_after in [1, 17, 60] {
        let mut child = start_writer(&stand, total, 1_000_000);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut numbers = lines.filter_map(|line| acknowledged(&line));
        let last = numbers.by_ref().nth(kill_after - 1).expect("the writer goes on for long");
        child.kill().unwrap();
        // What it had still said before it died counts as well.
        let last = numbers.last().unwrap_or(last);
        child.wait().unwrap();

        let ledger = stand.open().await;
        let kept = kept(&ledger).await;
        total = kept.len() as u64;
        assert_eq!(kept, (0..total).collect::<Vec<_>>());
        assert!(total == last + 1 || total == last + 2, "{last} acknowledged, {total} kept");
        assert_eq!(ledger.verify().await.unwrap().fault, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_compete_lose_and_double_nothing() {
    const EACH: u64 = 40;
    let stand = InDirectory::new();
    // None waits for the file to be made: they also compete for that.
    let children = [start_writer(&stand, 0, EACH), start_writer(&stand, EACH, EACH)];
    let ledger = stand.open().await;
    append_each(&ledger, 2 * EACH, EACH).await;
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let kept = kept(&ledger).await;
    assert_eq!(kept.len() as u64, 3 * EACH);
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), (0..3 * EACH).collect::<BTreeSet<_>>());
    assert_eq!(ledger.verify().await.unwrap().fault, None);
}

/// The future of an append is dropped after each possible number of polls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_is_given_up_half_way_leaves_all_or_nothing() {
    let stand = InDirectory::new();
    let ledger = stand.open().await;
    let (mut given_up, mut finished) = (0, 0);
    let mut polls = 0;
    while finished < 3 {
        let expected = ledger.read("a", 0, 10_000).await.unwrap().len() as u64;
        let mut append = Box::pin(ledger.append(batch("a", expected, [fact(1), fact(2), fact(3)])));
        let mut done = false;
        for _ in 0..polls {
            let poll = poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
            match poll {
                Poll::Ready(Ok(_)) => done = true,
                // The one that was given up before has still happened in the meantime.
                Poll::Ready(Err(StoreError::Conflict { .. })) => {}
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            break;
        }
        drop(append);
        if done {
            finished += 1
        } else {
            given_up += 1
        }
        polls += 1;
    }
    assert!(given_up > 0);
    // Another append waits until whatever was given up is over.
    ledger.append(batch("b", 0, [fact(1)])).await.unwrap();
    let records = ledger.read("a", 0, 10_000).await.unwrap();
    assert_eq!(records.len() % 3, 0);
    assert_eq!(ledger.head().await.unwrap(), records.len() as u64 + 1);
    assert_eq!(ledger.verify().await.unwrap().fault, None);
}
