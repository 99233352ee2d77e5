//! Users and tokens, and the approvals of each scope: streams without views. They are short.

use andon_core::access::{AccessFact, ApprovalFact, Approvals, Directory, STREAM};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_store::Batch;

use super::{PAGE, Records, RecordsError, Versioned, append, decode};

impl Records {
    /// Facts of users and tokens behind `seen` ones, each with its moment and its place. A page may be cut by its size; only
    /// an empty one is the end.
    pub(crate) async fn access_facts(&self, seen: u64) -> Result<Vec<(Time, u64, AccessFact)>, RecordsError> {
        let records = self.ledger.read(STREAM, seen, PAGE).await?;
        records.iter().map(|record| Ok((record.at, record.seq, decode(record)?))).collect()
    }

    /// Everybody who is let in.
    pub async fn directory(&self) -> Result<Versioned<Directory>, RecordsError> {
        let mut directory = Versioned { value: Directory::default(), seq: 0 };
        loop {
            let facts = self.access_facts(directory.seq).await?;
            if facts.is_empty() {
                return Ok(directory);
            }
            for (at, seq, fact) in &facts {
                directory.value.apply(*at, fact);
                directory.seq = *seq;
            }
        }
    }

    /// Records facts of users and tokens behind `seen` ones.
    pub(crate) async fn commit_access(
        &self,
        at: Time,
        by: &str,
        seen: u64,
        facts: &[AccessFact],
    ) -> Result<(), RecordsError> {
        let appends = vec![append(STREAM.to_owned(), seen, facts)?];
        self.write(Batch { at, by: by.to_owned(), appends, views: Vec::new() }).await.map(drop)
    }

    /// The requests and approvals of a scope.
    pub async fn approvals(&self, scope: &ScopeName) -> Result<Versioned<Approvals>, RecordsError> {
        let mut approvals = Versioned { value: Approvals::default(), seq: 0 };
        loop {
            let records = self.ledger.read(&Approvals::stream(scope), approvals.seq, PAGE).await?;
            for record in &records {
                let fact: ApprovalFact = decode(record)?;
                approvals.value.apply(record.at, &fact);
                approvals.seq = record.seq;
            }
            if records.is_empty() {
                return Ok(approvals);
            }
        }
    }

    /// Records an approval, a request for one, or its use, behind `seen` of them.
    pub(crate) async fn commit_approval(
        &self,
        at: Time,
        by: &str,
        scope: &ScopeName,
        seen: u64,
        fact: &ApprovalFact,
    ) -> Result<(), RecordsError> {
        let appends = vec![append(Approvals::stream(scope), seen, std::slice::from_ref(fact))?];
        self.write(Batch { at, by: by.to_owned(), appends, views: Vec::new() }).await.map(drop)
    }
}
