//! What is found, in which order, and where a page ends.

use andon_store::{Batch, MemoryLedger, StreamAppend};
use serde_json::json;

use super::*;

/// Records 1 to `count`: every third in the stream `line`, the others in streams of their own; one a second.
async fn ledger(count: u64) -> Arc<dyn Ledger> {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
    let mut of_line = 0;
    for number in 1..=count {
        let (stream, expected) = if number % 3 == 0 {
            of_line += 1;
            ("line".to_owned(), of_line - 1)
        } else {
            (format!("deployment/{number}"), 0)
        };
        let fact = if number % 2 == 0 { json!({ "even": { "n": number } }) } else { json!("odd") };
        let appends = vec![StreamAppend { stream, expected, facts: vec![fact] }];
        let by = if number % 5 == 0 { "Ana" } else { "ben" }.to_owned();
        let at = Time(i64::try_from(number).unwrap() * 1000);
        ledger.append(Batch { at, by, appends, views: Vec::new() }).await.unwrap();
    }
    ledger
}

async fn positions(ledger: &Arc<dyn Ledger>, wanted: Wanted, limit: usize) -> (Vec<u64>, Option<u64>) {
    let found = search(ledger, &wanted, limit).await.unwrap();
    (found.records.iter().map(|record| record.position).collect(), found.older)
}

/// Every page of a search.
async fn all(ledger: &Arc<dyn Ledger>, wanted: Wanted, limit: usize) -> Vec<u64> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let (page, older) = positions(ledger, Wanted { before, ..wanted.clone() }, limit).await;
        all.extend(page);
        before = Some(match older {
            Some(older) => older,
            None => return all,
        });
    }
}

#[tokio::test]
async fn an_empty_ledger_has_nothing_to_find() {
    let ledger = ledger(0).await;
    let stream = Wanted { stream: Some("line".into()), ..Wanted::default() };
    for wanted in [Wanted::default(), stream] {
        let found = search(&ledger, &wanted, 10).await.unwrap();
        assert!(found.records.is_empty() && found.older.is_none() && found.looked_at.is_none());
    }
}

#[tokio::test]
async fn pages_hold_every_record_once_the_newest_first() {
    let ledger = ledger(700).await;
    let newest_first: Vec<u64> = (1..=700).rev().collect();
    for limit in [1, 7, 100, 700, 900] {
        assert_eq!(all(&ledger, Wanted::default(), limit).await, newest_first, "{limit}");
    }
}

#[tokio::test]
async fn what_is_looked_for_narrows() {
    let ledger = ledger(700).await;
    let wanted = |change: fn(&mut Wanted)| {
        let mut wanted = Wanted::default();
        change(&mut wanted);
        wanted
    };
    let fit = |test: fn(u64) -> bool| (1..=700).rev().filter(|n| test(*n)).collect::<Vec<u64>>();
    let line = wanted(|it| it.stream = Some("line".into()));
    assert_eq!(all(&ledger, line, 50).await, fit(|n| n % 3 == 0));
    let deployments = wanted(|it| it.stream = Some("deployment/".into()));
    assert_eq!(all(&ledger, deployments, 50).await, fit(|n| n % 3 != 0));
    assert_eq!(all(&ledger, wanted(|it| it.kind = Some("odd".into())), 50).await, fit(|n| n % 2 == 1));
    assert_eq!(all(&ledger, wanted(|it| it.by = Some("ana".into())), 50).await, fit(|n| n % 5 == 0));
    assert_eq!(all(&ledger, wanted(|it| it.text = Some("\"N\":44}".into())), 50).await, [44]);
    let span = wanted(|it| (it.from, it.until) = (Some(Time(100_000)), Some(Time(200_000))));
    assert_eq!(all(&ledger, span, 30).await, fit(|n| (100..200).contains(&n)));
    let both = wanted(|it| (it.stream, it.from) = (Some("line".into()), Some(Time(600_000))));
    assert_eq!(all(&ledger, both, 30).await, fit(|n| n % 3 == 0 && n >= 600));
    assert!(all(&ledger, wanted(|it| it.from = Some(Time(i64::MAX))), 30).await.is_empty());
}
