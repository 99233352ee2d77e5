//! Only the scopes of a ledger of two years: each with the good releases that are remembered and many bad ones. Says how
//! long it takes to list them as their rows were written before there were outlines, and as they are written now.
//!
//! `-- --scopes 100 --bad 250 --at FILE`. Prints one JSON object as its last line. With `--as-before` the rows stay as they
//! were, so that a program can be timed on them.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_core::digest::Digest;
use andon_core::name::{DeploymentId, EnvironmentName, ServiceName};
use andon_core::quantity::ByteSize;
use andon_core::release::{Packing, Release, ReleaseId, ReleaseStatus, Revision};
use andon_core::scope::{MOST_GOOD, Scope, ScopeFact, ScopeName};
use andon_core::time::Time;
use andon_server::{Records, clock};
use andon_store::{Batch, Ledger, SqliteLedger, StreamAppend, ViewUpdate};
use serde_json::{Value, json};

/// How often the list is read; odd, so that the median is one that was measured.
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    let after = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
    let (Some(scopes), Some(bad), Some(at)) = (after("--scopes"), after("--bad"), after("--at")) else {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    };
    let (scopes, bad, at): (u64, u64, PathBuf) = (scopes.parse()?, bad.parse()?, PathBuf::from(at));
    let renew = !words.iter().any(|word| word == "--as-before");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(async {
        let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&at).await?);
        for number in 0..scopes {
            ledger.append(past(number, bad)?).await?;
        }
        let records = Records::new(ledger);
        let before = median(&records).await?;
        if !renew {
            return Ok::<_, Box<dyn Error>>(json!({ "scopes_before_ms": before }));
        }
        for (name, _) in records.scopes().await? {
            records.renew_views(clock::now(), &name).await?;
        }
        Ok(json!({ "scopes_before_ms": before, "scopes_ms": median(&records).await? }))
    })?;
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        println!("{figures}");
    }
    Ok(())
}

/// The median time of a list, in milliseconds.
async fn median(records: &Records) -> Result<f64, Box<dyn Error>> {
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        records.scopes().await?;
        took.push(began.elapsed());
    }
    took.sort();
    Ok(took[ROUNDS / 2].as_secs_f64() * 1000.0)
}

/// All that happened to the scope with this number, and its row as it was written before there were outlines.
fn past(number: u64, bad: u64) -> Result<Batch, Box<dyn Error>> {
    let service = ServiceName::new(format!("shop{number}"))?;
    let name = ScopeName { service, environment: EnvironmentName::new("production")? };
    let (mut scope, mut facts) = (Scope::default(), Vec::<Value>::new());
    for at in 0..bad + MOST_GOOD as u64 {
        let digest = Digest::of(format!("{number} {at}").as_bytes());
        let revision = Revision {
            commit: digest.to_string()[..7].to_owned(),
            subject: "basket: remember what was put in on another device".to_owned(),
            author: "Ana Example".to_owned(),
            email: Some("ana@example.com".to_owned()),
            at: Time(1_700_000_000_000),
        };
        let release = Release {
            id: ReleaseId::of(&digest),
            digest,
            packing: Packing::TarZst,
            packed: ByteSize(40_000_000),
            unpacked: ByteSize(120_000_000),
            revision: Some(revision),
            signed: None,
        };
        let fact = ScopeFact::Marked {
            release,
            status: if at < bad { ReleaseStatus::Bad } else { ReleaseStatus::Good },
            deployment: DeploymentId(at + 1),
            because: "errors on web7 were 9.6 × the old release (at least 4.1 ×)".to_owned(),
        };
        scope.apply(Time(1_700_000_000_000), &fact);
        facts.push(serde_json::to_value(&fact)?);
    }
    let seq = facts.len();
    let body = json!({ "facts": 1, "seq": seq, "name": name, "scope": scope });
    let views = vec![ViewUpdate { view: "scope".into(), key: name.stream(), rank: 1, body }];
    let appends = vec![StreamAppend { stream: name.stream(), expected: 0, facts }];
    Ok(Batch { at: Time(1_700_000_000_000), by: "ana".to_owned(), appends, views })
}
