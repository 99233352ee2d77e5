//! What is kept of scopes reads as the fold of their facts does, whoever wrote it.

use std::sync::Arc;

use andon_core::digest::Digest;
use andon_core::name::{DeploymentId, EnvironmentName, ServiceName};
use andon_core::quantity::ByteSize;
use andon_core::release::{Packing, Release, ReleaseStatus};
use andon_store::{Ledger, MemoryLedger};
use serde_json::json;

use super::*;

fn name() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

fn release(content: &str) -> Release {
    let digest = Digest::of(content.as_bytes());
    Release {
        id: ReleaseId::of(&digest),
        digest,
        packing: Packing::TarZst,
        packed: ByteSize(1),
        unpacked: ByteSize(2),
        revision: None,
        signed: None,
    }
}

fn marked(content: &str, status: ReleaseStatus) -> ScopeFact {
    let because = "errors on web7 were 9.6 × the old release".to_owned();
    ScopeFact::Marked { release: release(content), status, deployment: DeploymentId(1), because }
}

async fn commit(records: &Records, facts: &[ScopeFact]) {
    let mut scope = records.scope(&name()).await.unwrap();
    records.commit_scope(Time(7), "ana", &name(), &mut scope, facts).await.unwrap();
    assert_eq!(records.scope(&name()).await.unwrap(), scope, "what is read is what was written");
}

/// The fold of all facts, whatever any view says.
async fn fold(ledger: &Arc<dyn Ledger>) -> Scope {
    let mut scope = Scope::default();
    for record in ledger.read(&name().stream(), 0, 1000).await.unwrap() {
        scope.apply(record.at, &ScopeFact::deserialize(&record.fact).unwrap());
    }
    scope
}

/// Writes a row as programs did that knew no outlines.
async fn as_before(ledger: &Arc<dyn Ledger>, facts: &[ScopeFact]) {
    let before = ledger.read(&name().stream(), 0, 1000).await.unwrap().len() as u64;
    let mut scope = fold(ledger).await;
    facts.iter().for_each(|fact| scope.apply(Time(8), fact));
    let body = json!({ "facts": 1, "seq": before + facts.len() as u64, "name": name(), "scope": scope });
    let views = vec![ViewUpdate { view: SCOPES.to_owned(), key: name().stream(), rank: 8, body }];
    let appends = vec![append(name().stream(), before, facts).unwrap()];
    ledger.append(Batch { at: Time(8), by: "ben".to_owned(), appends, views }).await.unwrap();
}

#[tokio::test]
async fn a_list_has_the_names_of_bad_releases_and_a_scope_all_of_them() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
    let records = Records::new(Arc::clone(&ledger));
    commit(&records, &[marked("one", ReleaseStatus::Good), marked("two", ReleaseStatus::Bad)]).await;
    commit(&records, &[marked("three", ReleaseStatus::Bad)]).await;
    let (_, outline) = records.scopes().await.unwrap().remove(0);
    assert_eq!((outline.bad.len(), outline.scope.releases.len()), (2, 1));
    let row = ledger.view(SCOPES, &name().stream()).await.unwrap().unwrap();
    assert_eq!(row.to_string().matches("9.6").count(), 1, "only of the newest good one: {row}");
    // Bad, good, bad again: what is kept of an earlier judgement is not taken for the newest.
    commit(&records, &[marked("two", ReleaseStatus::Good)]).await;
    assert_eq!(records.scope(&name()).await.unwrap().value.bad().len(), 1);
    commit(&records, &[marked("two", ReleaseStatus::Bad)]).await;
    assert_eq!(records.scope(&name()).await.unwrap().value, fold(&ledger).await);
}

#[tokio::test]
async fn a_row_of_before_is_read_moved_and_written_again_by_turns() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
    let records = Records::new(Arc::clone(&ledger));
    as_before(&ledger, &[marked("one", ReleaseStatus::Bad), marked("two", ReleaseStatus::Bad)]).await;
    assert_eq!(records.scope(&name()).await.unwrap().value, fold(&ledger).await);
    commit(&records, &[marked("three", ReleaseStatus::Bad)]).await;
    assert_eq!(records.scopes().await.unwrap()[0].1.bad.len(), 3);
    // The program of before believes no outline, and writes a whole row again, in which one is good now.
    as_before(&ledger, &[marked("one", ReleaseStatus::Good)]).await;
    assert_eq!(records.scope(&name()).await.unwrap().value, fold(&ledger).await);
    commit(&records, &[marked("four", ReleaseStatus::Bad)]).await;
    let scope = records.scope(&name()).await.unwrap().value;
    assert_eq!(scope, fold(&ledger).await);
    assert_eq!((scope.bad().len(), scope.good().len()), (3, 1));
    let row = ledger.view(SCOPES, &name().stream()).await.unwrap().unwrap();
    assert_ne!(row["facts"], 1, "a program of before would take the outline for the whole");
}

#[tokio::test]
async fn rows_that_are_lost_are_made_again_from_the_facts() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
    let records = Records::new(Arc::clone(&ledger));
    commit(&records, &[marked("one", ReleaseStatus::Bad), marked("two", ReleaseStatus::Bad)]).await;
    let (view, key) = (view_of_bad(&name().stream()), release("two").id.to_string());
    let views = vec![ViewUpdate { view, key, rank: 1, body: json!("torn") }];
    let batch = Batch { at: Time(9), by: "ben".to_owned(), appends: Vec::new(), views };
    ledger.append(batch).await.unwrap();
    assert_eq!(records.scope(&name()).await.unwrap().value, fold(&ledger).await);
    records.renew_views(Time(10), &name()).await.unwrap();
    let outline = records.outline(&name().stream()).await.unwrap().unwrap().value;
    assert_eq!(records.known(&name().stream(), &outline).await.unwrap().len(), 2);
}

#[tokio::test]
async fn hundreds_of_releases_and_their_forgetting_are_kept_as_they_are_folded() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
    let records = Records::new(Arc::clone(&ledger));
    for number in 0..150 {
        let status = if number % 3 == 0 { ReleaseStatus::Bad } else { ReleaseStatus::Good };
        let content = (number % 140).to_string();
        let current = ScopeFact::Current { release: release(&content).id };
        let facts = [marked(&content, status), current];
        commit(&records, if number % 7 == 0 { &facts } else { &facts[..1] }).await;
    }
    assert_eq!(records.scope(&name()).await.unwrap().value, fold(&ledger).await);
    let row = ledger.view(SCOPES, &name().stream()).await.unwrap().unwrap().to_string();
    assert!(row.len() < 6_000, "{} bytes", row.len());
}
