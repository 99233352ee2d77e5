//! Reading: streams, the tail, other handles, and the walk over a sound chain.

use serde_json::Value;

use super::{Stand, batch, fact, numbers};
use crate::Ledger;

/// `after` and `limit` cut where they say, and there is nothing behind the end.
pub async fn a_stream_is_read_in_order_from_any_place(stand: &impl Stand) {
    let ledger = stand.open().await;
    ledger.append(batch("other", 0, [fact(100)])).await.expect("another stream");
    ledger.append(batch("a", 0, (1..=10).map(fact))).await.expect("the stream");
    let read = async |after, limit| numbers(&ledger.read("a", after, limit).await.expect("the stream"));
    assert_eq!(read(0, 100).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(read(3, 4).await, [4, 5, 6, 7]);
    assert_eq!(read(9, 4).await, [10]);
    assert_eq!(read(0, 0).await, [0_u64; 0]);
    assert_eq!(read(10, 4).await, [0_u64; 0]);
    assert_eq!(read(u64::MAX, usize::MAX).await, [0_u64; 0]);
    assert_eq!(ledger.read("unknown", 0, 10).await, Ok(Vec::new()));
}

/// Pages of the tail join without gap or overlap.
pub async fn the_tail_has_all_streams_in_the_order_of_their_positions(stand: &impl Stand) {
    let ledger = stand.open().await;
    for round in 0..5 {
        for stream in ["b", "a", "c"] {
            ledger.append(batch(stream, round, [fact(round)])).await.expect("one more");
        }
    }
    let mut seen = Vec::new();
    loop {
        let page = ledger.tail(seen.len() as u64, 4).await.expect("the tail");
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|record| (record.position, record.stream, record.seq)));
    }
    let streams = ["b", "a", "c"].into_iter().cycle();
    let expected: Vec<_> = (1_u64..=15)
        .zip(streams)
        .map(|(position, stream)| (position, stream.to_owned(), position.div_ceil(3)))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(ledger.tail(u64::MAX, 4).await, Ok(Vec::new()));
}

/// An answer is bounded in bytes, and asking on gives the rest.
pub async fn large_facts_come_in_several_answers(stand: &impl Stand) {
    const COUNT: u64 = 12;
    let ledger = stand.open().await;
    let large = Value::String("x".repeat(4 << 20));
    ledger.append(batch("a", 0, (0..COUNT).map(|_| large.clone()))).await.expect("a large batch");
    let (mut seen, mut answers) = (0, 0);
    while seen < COUNT {
        let page = ledger.read("a", seen, 100).await.expect("the stream");
        assert!(!page.is_empty(), "only the end is empty");
        let bytes: usize = page.iter().filter_map(|record| record.fact.as_str()).map(str::len).sum();
        assert!(bytes <= crate::MAX_ANSWER_BYTES);
        seen += page.len() as u64;
        answers += 1;
    }
    assert!(answers > 1);
    assert!(ledger.tail(0, 100).await.expect("the tail").len() < 12);
}

/// What one handle was told, another one finds.
pub async fn another_handle_sees_everything_and_the_same_id(stand: &impl Stand) {
    let ledger = stand.open().await;
    let id = ledger.id().to_owned();
    assert!(!id.is_empty());
    let told = ledger.append(batch("a", 0, [fact(1), fact(2)])).await.expect("the facts");
    let other = stand.open().await;
    assert_eq!(other.id(), id);
    assert_eq!(other.read("a", 0, 10).await.expect("the stream"), told);
    drop(ledger);
    other.append(batch("a", 2, [fact(3)])).await.expect("one more");
    assert_eq!(stand.open().await.head().await, Ok(3));
}

/// The walk ends at the newest record with its hash, in an empty ledger too.
pub async fn a_sound_ledger_verifies_up_to_its_head(stand: &impl Stand) {
    let ledger = stand.open().await;
    let empty = ledger.verify().await.expect("a walk");
    assert_eq!((empty.records, empty.fault), (0, None));
    let mut last = None;
    for seq in 0..30 {
        let stream = if seq % 2 == 0 { "even" } else { "odd" };
        last = ledger.append(batch(stream, seq / 2, [fact(seq)])).await.expect("one more").pop();
    }
    let found = ledger.verify().await.expect("a walk");
    assert_eq!((found.records, found.fault), (30, None));
    assert_eq!(Some(found.hash), last.map(|record| record.hash));
}
