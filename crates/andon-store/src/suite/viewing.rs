//! Views: rows beside the log, in the same transaction.

use serde_json::json;

use super::{Stand, batch, fact, row};
use crate::{Batch, Ledger, ViewQuery, ViewRow, ViewUpdate};

fn rows(updates: impl IntoIterator<Item = ViewUpdate>) -> Batch {
    Batch { views: updates.into_iter().collect(), ..batch("a", 0, []) }
}

fn keys(rows: &[ViewRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}

/// The newest content and rank count; views do not mix.
pub async fn a_row_is_made_and_replaced_together_with_facts(stand: &impl Stand) {
    let ledger = stand.open().await;
    let mut first = batch("a", 0, [fact(1)]);
    first.views = vec![row("list", "x", 1), row("list", "y", 2), row("other", "x", 3)];
    ledger.append(first).await.expect("the first");
    let body = json!({ "now": "different" });
    let replaced = ViewUpdate { body: body.clone(), rank: 9, ..row("list", "x", 0) };
    ledger.append(Batch { views: vec![replaced], ..batch("a", 1, [fact(2)]) }).await.expect("the second");
    assert_eq!(ledger.view("list", "x").await, Ok(Some(body.clone())));
    assert_eq!(ledger.view("other", "x").await, Ok(Some(json!({ "key": "x" }))));
    assert_eq!(ledger.view("list", "z").await, Ok(None));
    let all = ledger.views("list", ViewQuery::newest(10)).await.expect("the rows");
    assert_eq!(all[0], ViewRow { key: "x".into(), rank: 9, body });
    assert_eq!(keys(&all), ["x", "y"]);
    assert_eq!(ledger.views("unknown", ViewQuery::newest(10)).await, Ok(Vec::new()));
}

/// `before` is exclusive, and ranks may be negative.
pub async fn rows_come_with_the_highest_rank_first_and_in_pages(stand: &impl Stand) {
    let ledger = stand.open().await;
    let ranks = [("min", i64::MIN), ("five", 5), ("max", i64::MAX), ("minus", -5), ("zero", 0)];
    ledger.append(rows(ranks.map(|(key, rank)| row("list", key, rank)))).await.expect("the rows");
    let all = ledger.views("list", ViewQuery::newest(usize::MAX)).await.expect("all");
    assert_eq!(keys(&all), ["max", "five", "zero", "minus", "min"]);
    let page = ViewQuery { before: Some(5), ..ViewQuery::newest(2) };
    assert_eq!(keys(&ledger.views("list", page).await.expect("a page")), ["zero", "minus"]);
    assert_eq!(ledger.views("list", ViewQuery::newest(0)).await, Ok(Vec::new()));
}

/// A page that ends between rows of the same rank is continued behind its last row.
pub async fn rows_of_equal_rank_are_not_lost_between_pages(stand: &impl Stand) {
    let ledger = stand.open().await;
    let names: Vec<String> = (0..10).map(|number| format!("key-{number}")).collect();
    let updates = names.iter().enumerate().map(|(index, key)| row("list", key, i64::from(index >= 5)));
    ledger.append(rows(updates)).await.expect("the rows");
    let mut query = ViewQuery::newest(3);
    let mut seen = Vec::new();
    loop {
        let page = ledger.views("list", query.clone()).await.expect("a page");
        let Some(last) = page.last() else { break };
        query = query.behind(last);
        seen.extend(page.into_iter().map(|row| row.key));
    }
    let expected: Vec<String> = names.into_iter().rev().collect();
    assert_eq!(seen, expected);
}

/// No character of a prefix means anything but itself, and upper case is not lower case.
pub async fn a_prefix_is_taken_literally(stand: &impl Stand) {
    let ledger = stand.open().await;
    let names = ["shop/a", "shop/b", "shop_a", "shop%", "Shop/a", "sho", "shöp/a", "shopping"];
    ledger.append(rows(names.map(|key| row("list", key, 1)))).await.expect("the rows");
    for (prefix, expected) in [
        ("shop/", vec!["shop/b", "shop/a"]),
        ("shop_", vec!["shop_a"]),
        ("shop%", vec!["shop%"]),
        ("shö", vec!["shöp/a"]),
        ("shop/a/", vec![]),
    ] {
        let query = ViewQuery { prefix: prefix.into(), ..ViewQuery::newest(10) };
        assert_eq!(keys(&ledger.views("list", query).await.expect("the rows")), expected, "{prefix}");
    }
    let query = ViewQuery { prefix: "shop/".into(), before: Some(2), ..ViewQuery::newest(1) };
    assert_eq!(keys(&ledger.views("list", query).await.expect("the rows")), ["shop/b"]);
}
