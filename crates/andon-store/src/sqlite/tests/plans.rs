//! However large a ledger is: what is asked while somebody waits is found by an index and comes in its order.

use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::super::{open, statement};
use super::{InDirectory, fill};
use crate::sqlite::place::Place;

#[tokio::test]
async fn no_question_reads_a_whole_table_or_sorts_it() {
    let stand = InDirectory::new();
    fill(&stand, 4).await;
    let place = Place::new(&stand.path()).unwrap();
    let mut connection = open::options(&place).connect().await.unwrap();
    for question in [
        statement::STREAM_HEAD,
        statement::READ,
        statement::READ_SIZES,
        statement::TAIL,
        statement::TAIL_SIZES,
        statement::STREAM_ORDER,
        statement::HASH_AT,
        statement::VIEW,
        statement::VIEW_ROWS,
        statement::VIEW_SIZES,
        statement::VIEW_ROWS_BEFORE,
        statement::VIEW_SIZES_BEFORE,
        statement::LEASE,
    ] {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {question}"));
        let steps = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{question}: {steps:?}");
    }
}
