//! Who writes into this ledger: programs that do not understand its newest facts are kept away, and one that writes newer
//! ones says so first.

use andon_core::version::{FACTS, STREAM, VersionFact, Writer};
use andon_store::{Batch, Record};

use super::{PAGE, Records, RecordsError, append, decode};

/// This program.
pub(super) fn this() -> Writer {
    Writer { facts: FACTS, version: env!("CARGO_PKG_VERSION").to_owned() }
}

impl Records {
    /// Fails where the ledger has facts that this program does not understand. To be asked before anything else.
    pub async fn check_version(&self) -> Result<(), RecordsError> {
        let said = self.versions().await?;
        match Writer::newest(&said) {
            Some(newest) if !self.writer.understands(Some(newest)) => {
                Err(RecordsError::Newer { theirs: newest.clone(), ours: self.writer.clone() })
            }
            _ => Ok(()),
        }
    }

    async fn versions(&self) -> Result<Vec<VersionFact>, RecordsError> {
        let records = self.ledger.read(STREAM, 0, PAGE).await?;
        records.iter().map(decode).collect()
    }

    /// Appends, after this program has introduced itself where it has to.
    pub(crate) async fn write(&self, mut batch: Batch) -> Result<Vec<Record>, RecordsError> {
        if self.writer.introduction(None).is_some() {
            let said = self.versions().await?;
            let introduction = self.writer.introduction(Writer::newest(&said));
            if let Some(introduction) = introduction {
                batch.appends.push(append(STREAM.to_owned(), said.len() as u64, &[introduction])?);
            }
        }
        Ok(self.ledger.append(batch).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use andon_core::name::DeploymentId;
    use andon_core::name::{EnvironmentName, ServiceName};
    use andon_core::scope::{ScopeFact, ScopeName};
    use andon_core::time::Time;
    use andon_store::{Ledger, MemoryLedger};

    use super::*;

    fn records(ledger: &Arc<dyn Ledger>, facts: u32) -> Records {
        Records { ledger: Arc::clone(ledger), writer: Writer { facts, version: format!("0.{facts}.0") } }
    }

    fn scope() -> ScopeName {
        let environment = EnvironmentName::new("production").unwrap();
        ScopeName { service: ServiceName::new("www").unwrap(), environment }
    }

    async fn hold(records: &Records, number: u64) {
        let mut known = records.scope(&scope()).await.unwrap();
        let facts = [ScopeFact::LockTaken { deployment: DeploymentId(number) }];
        records.commit_scope(Time(1), "ana", &scope(), &mut known, &facts).await.unwrap();
    }

    #[tokio::test]
    async fn an_older_program_is_kept_away_from_newer_facts_and_told_both_versions() {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
        let (old, new) = (records(&ledger, 1), records(&ledger, 2));
        hold(&old, 1).await;
        assert_eq!(ledger.head().await.unwrap(), 1, "the first facts need no introduction");
        hold(&new, 2).await;
        hold(&new, 3).await;
        assert_eq!(ledger.head().await.unwrap(), 4, "once is enough");
        new.check_version().await.unwrap();
        let refused = old.check_version().await.unwrap_err().to_string();
        assert!(refused.contains("andon 0.2.0") && refused.contains("andon 0.1.0"), "{refused}");
    }

    #[tokio::test]
    async fn a_view_of_another_version_is_made_again_from_the_facts() {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
        let (old, new) = (records(&ledger, 1), records(&ledger, 2));
        hold(&new, 7).await;
        // What an older program keeps of it may lack what the newer one needs.
        let mut row = ledger.view(super::super::scopes::SCOPES, &scope().stream()).await.unwrap().unwrap();
        row["scope"] = serde_json::to_value(andon_core::scope::Scope::default()).unwrap();
        let view = andon_store::ViewUpdate {
            view: super::super::scopes::SCOPES.to_owned(),
            key: scope().stream(),
            rank: 1,
            body: row,
        };
        let batch = Batch { at: Time(2), by: "ana".into(), appends: Vec::new(), views: vec![view] };
        ledger.append(batch).await.unwrap();
        assert_eq!(
            new.scope(&scope()).await.unwrap().value.lock,
            andon_core::scope::Lock::Free,
            "its own is believed"
        );
        let again = old.scope(&scope()).await.unwrap().value;
        assert!(matches!(again.lock, andon_core::scope::Lock::Owned { deployment: DeploymentId(7), .. }));
        assert_eq!(old.scopes().await.unwrap()[0].1, again.outline());
    }
}
