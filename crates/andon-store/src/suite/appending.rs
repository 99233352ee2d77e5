//! Appending: compare-and-set, all or nothing, and nothing lost among concurrent writers.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Stand, batch, fact, numbers, row};
use crate::{Ledger, MAX_BATCH_ITEMS, MAX_FACT_BYTES, MAX_NAME_BYTES, StoreError, StreamAppend};

/// Records get the next numbers, and each is told as it will be read.
pub async fn positions_and_seqs_have_no_gaps(stand: &impl Stand) {
    let ledger = stand.open().await;
    assert_eq!(ledger.head().await, Ok(0));
    let first = ledger.append(batch("a", 0, [fact(1), fact(2)])).await.expect("the first batch");
    let second = ledger.append(batch("b", 0, [fact(3)])).await.expect("another stream");
    let third = ledger.append(batch("a", 2, [fact(4)])).await.expect("the first stream again");
    let all = [first, second, third].concat();
    let places: Vec<_> = all.iter().map(|r| (r.position, r.stream.as_str(), r.seq)).collect();
    assert_eq!(places, [(1, "a", 1), (2, "a", 2), (3, "b", 1), (4, "a", 3)]);
    assert_eq!(ledger.head().await, Ok(4));
    assert_eq!(ledger.tail(0, 100).await.expect("the tail"), all);
    assert!(all.iter().all(|record| record.by == "ada" && record.at.0 == 1_000));
}

/// Too low and too high are both conflicts.
pub async fn a_stream_that_moved_on_refuses_the_append(stand: &impl Stand) {
    let ledger = stand.open().await;
    ledger.append(batch("a", 0, [fact(1)])).await.expect("the first");
    for expected in [0, 2, u64::MAX] {
        let refused = ledger.append(batch("a", expected, [fact(2)])).await;
        assert_eq!(refused, Err(StoreError::Conflict { stream: "a".into(), expected, found: 1 }));
    }
    assert_eq!(ledger.head().await, Ok(1));
    ledger.append(batch("a", 1, [fact(2)])).await.expect("a refusal does not stand in the way");
}

/// Neither the streams without conflict nor the views are touched.
pub async fn a_batch_with_one_conflict_writes_nothing_at_all(stand: &impl Stand) {
    let ledger = stand.open().await;
    ledger.append(batch("b", 0, [fact(1)])).await.expect("the first");
    let before = ledger.tail(0, 100).await.expect("the tail");
    let mut torn = batch("a", 0, [fact(2), fact(3)]);
    torn.appends.push(StreamAppend { stream: "b".into(), expected: 0, facts: vec![fact(4)] });
    torn.views.push(row("list", "a", 1));
    let refused = ledger.append(torn.clone()).await;
    assert_eq!(refused, Err(StoreError::Conflict { stream: "b".into(), expected: 0, found: 1 }));
    assert_eq!(ledger.tail(0, 100).await.expect("the tail"), before);
    assert_eq!(ledger.view("list", "a").await, Ok(None));

    torn.appends[1].expected = 1;
    let records = ledger.append(torn).await.expect("the corrected batch");
    assert_eq!(numbers(&records), [2, 3, 4]);
    assert_eq!(ledger.tail(1, 100).await.expect("the tail"), records);
    assert!(ledger.view("list", "a").await.expect("the view").is_some());
}

/// So that a decision may rest on a stream that it does not write.
pub async fn an_append_without_facts_only_checks_the_stream(stand: &impl Stand) {
    let ledger = stand.open().await;
    ledger.append(batch("a", 0, [fact(1)])).await.expect("the first");
    assert_eq!(ledger.append(batch("a", 1, [])).await, Ok(Vec::new()));
    let refused = ledger.append(batch("a", 0, [])).await;
    assert_eq!(refused, Err(StoreError::Conflict { stream: "a".into(), expected: 0, found: 1 }));
    assert_eq!(ledger.head().await, Ok(1));
}

/// Each writer repeats until it wins: every fact must be there once, and no place twice.
pub async fn every_fact_of_concurrent_writers_to_one_stream_is_kept_once(stand: &impl Stand) {
    const WRITERS: u64 = 6;
    const EACH: u64 = 15;
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let ledger = stand.open().await;
        tasks.push(tokio::spawn(async move {
            let mut expected = 0;
            for number in 0..EACH {
                loop {
                    match ledger.append(batch("a", expected, [fact(writer * EACH + number)])).await {
                        Ok(_) => break,
                        Err(StoreError::Conflict { found, .. }) => expected = found,
                        Err(error) => panic!("{error}"),
                    }
                }
                expected += 1;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a writer");
    }
    let ledger = stand.open().await;
    let records = ledger.read("a", 0, 1_000).await.expect("the stream");
    let seqs: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=WRITERS * EACH).collect::<Vec<_>>());
    let kept: BTreeSet<u64> = numbers(&records).into_iter().collect();
    assert_eq!(kept, (0..WRITERS * EACH).collect::<BTreeSet<_>>());
    assert_eq!(ledger.verify().await.expect("a walk").fault, None);
}

/// A reader that follows the tail while others write sees every position once, in order.
pub async fn concurrent_writers_to_many_streams_share_one_order(stand: &impl Stand) {
    const WRITERS: u64 = 4;
    const EACH: u64 = 20;
    let ledger = Arc::new(stand.open().await);
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let ledger = Arc::clone(&ledger);
        tasks.push(tokio::spawn(async move {
            for seq in 0..EACH {
                let stream = format!("stream-{writer}");
                ledger.append(batch(&stream, seq, [fact(seq)])).await.expect("nobody else writes here");
            }
        }));
    }
    let follower = stand.open().await;
    let mut seen = Vec::new();
    while (seen.len() as u64) < WRITERS * EACH {
        let records = follower.tail(seen.len() as u64, 7).await.expect("the tail");
        seen.extend(records.into_iter().map(|record| record.position));
        let writing = tasks.iter().any(|task| !task.is_finished());
        let complete = follower.head().await.expect("the head") == WRITERS * EACH;
        assert!(writing || complete, "the writers ended early");
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, (1..=WRITERS * EACH).collect::<Vec<_>>());
    for task in tasks {
        task.await.expect("a writer");
    }
}

/// Bounds are checked before anything is written.
pub async fn what_is_out_of_bounds_is_refused_and_leaves_nothing(stand: &impl Stand) {
    let ledger = stand.open().await;
    let mut deep = Value::Null;
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let mut twice = batch("a", 0, [fact(1)]);
    twice.appends.push(twice.appends[0].clone());
    let mut anonymous = batch("a", 0, [fact(1)]);
    anonymous.by = String::new();
    let mut bad_view = batch("a", 0, [fact(1)]);
    bad_view.views.push(row("list", "line\nbreak", 1));
    let refused = [
        ("large fact", batch("a", 0, [Value::String("x".repeat(MAX_FACT_BYTES - 1))])),
        ("large batch", batch("a", 0, (0..9).map(|_| Value::String("x".repeat(MAX_FACT_BYTES - 2))))),
        ("many facts", batch("a", 0, (0..=MAX_BATCH_ITEMS as u64).map(fact))),
        ("deep fact", batch("a", 0, [deep])),
        ("empty name", batch("", 0, [fact(1)])),
        ("long name", batch(&"n".repeat(MAX_NAME_BYTES + 1), 0, [fact(1)])),
        ("control character", batch("a\0b", 0, [fact(1)])),
        ("stream twice", twice),
        ("no author", anonymous),
        ("bad key of a view", bad_view),
    ];
    for (what, batch) in refused {
        let answer = ledger.append(batch).await;
        assert!(matches!(answer, Err(StoreError::Invalid(_))), "{what}");
    }
    assert_eq!(ledger.head().await, Ok(0));
    let largest = batch("a", 0, [Value::String("x".repeat(MAX_FACT_BYTES - 2))]);
    ledger.append(largest).await.expect("a fact of exactly the limit");
}

/// To the last bit: state that is folded again must be the same state.
pub async fn a_fact_comes_back_as_it_was_given(stand: &impl Stand) {
    let ledger = stand.open().await;
    let facts = [
        json!(null),
        json!({}),
        json!("ümläut \u{1F6A8} \u{0} \" \\ \u{2028}"),
        json!([u64::MAX, i64::MIN, 0.1 + 0.2, 5e-324, f64::MAX, -0.0, 1.0, 51.248_178_997_307_74]),
        json!({ "b": 1, "a": { "": [true, false] } }),
    ];
    let told = ledger.append(batch("a", 0, facts.clone())).await.expect("the facts");
    let read = stand.open().await.read("a", 0, 10).await.expect("the stream");
    assert_eq!(read, told);
    let texts = |facts: &[Value]| facts.iter().map(Value::to_string).collect::<Vec<_>>();
    let read: Vec<Value> = read.into_iter().map(|record| record.fact).collect();
    assert_eq!(texts(&read), texts(&facts));
}
