//! What is done to guarded environments outside of deployments: a stream for each, and no view.

use andon_core::guard::{GuardFact, stream};
use andon_core::name::EnvironmentName;
use andon_core::time::Time;
use andon_store::Batch;

use super::{PAGE, Records, RecordsError, append, decode, is_conflict};

impl Records {
    /// What was done to an environment, the oldest first.
    pub async fn guarded(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Vec<(Time, GuardFact)>, RecordsError> {
        let (stream, mut facts) = (stream(environment), Vec::new());
        let mut seq = 0;
        loop {
            let records = self.ledger.read(&stream, seq, PAGE).await?;
            for record in &records {
                facts.push((record.at, decode(record)?));
                seq = record.seq;
            }
            // A page may be cut by its size; only an empty one is the end.
            if records.is_empty() {
                return Ok(facts);
            }
        }
    }

    /// Records what is about to be done to an environment.
    pub async fn record_guarded(
        &self,
        at: Time,
        by: &str,
        environment: &EnvironmentName,
        fact: &GuardFact,
    ) -> Result<(), RecordsError> {
        loop {
            let seq = self.guarded(environment).await?.len() as u64;
            let appends = vec![append(stream(environment), seq, std::slice::from_ref(fact))?];
            match self.write(Batch { at, by: by.to_owned(), appends, views: Vec::new() }).await {
                Err(error) if is_conflict(&error) => {}
                other => return other.map(drop),
            }
        }
    }
}
