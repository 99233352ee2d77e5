//! A ledger for whoever measures the screen: 1,000 hosts, 50 services, 100,000 deployments in two years.
//!
//! Deployments are driven by the product's own driver over simulated hosts: one that succeeds, one that is put back, and
//! one on all hosts. Their facts and summaries are the pattern for all others, which get their own number, release,
//! commit, author, scope and time. Every deployment has its summary and its facts in its scope; the newest ones
//! have all of their facts as well. All of it goes through the ledger's own door.
//!
//! `-- --deployments N --at DIRECTORY`: writes `ledger.db` and `line.star` there. Prints one JSON object as its last line.
//! `cargo xtask bench pages` runs it.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use andon_store::{Ledger, SqliteLedger};
use serde_json::json;

#[path = "simulated/facts.rs"]
mod facts;
#[path = "screen/past.rs"]
mod past;
#[path = "screen/pattern.rs"]
mod pattern;
#[path = "screen/town.rs"]
mod town;

use past::Past;
use pattern::Patterns;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().collect();
    let after = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
    let (Some(count), Some(at)) = (after("--deployments"), after("--at")) else {
        return Ok(()); // `cargo test --benches` only wants to know that it builds.
    };
    let (count, at): (u64, PathBuf) = (count.parse()?, PathBuf::from(at));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let records = runtime.block_on(async {
        town::write_line(&at)?;
        let ledger = SqliteLedger::open(at.join("ledger.db")).await?;
        let mut past = Past::new(Patterns::drive().await?, count)?;
        while let Some(batch) = past.next()? {
            ledger.append(batch).await?;
        }
        let records = ledger.head().await?;
        ledger.close().await?;
        Ok::<_, Box<dyn Error>>(records)
    })?;
    let file = std::fs::metadata(at.join("ledger.db"))?.len();
    #[allow(clippy::print_stdout, reason = "this is the result")]
    {
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({ "deployments": count, "records": records, "generate_seconds": seconds, "file_mib": file >> 20 })
        );
    }
    Ok(())
}
