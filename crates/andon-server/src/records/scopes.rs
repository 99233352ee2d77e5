//! Scopes and their views. The view `scope` has an [`Outline`] a row: all of a scope, and of its bad releases only the
//! names, so that listing a hundred scopes after years reads little. What is known of the bad releases has a view for each
//! scope, with a row for each release; it is read where a release is decided about.
//!
//! A row says of which facts it was made, and whether it is an outline. Programs that know no outlines find a number in it
//! that they do not believe, and make the scope again from its facts.

use std::collections::BTreeMap;

use andon_core::release::{ReleaseId, ReleaseStatus};
use andon_core::scope::{KnownRelease, Outline, Scope, ScopeFact, ScopeName};
use andon_core::time::Time;
use andon_store::{Batch, StreamAppend, ViewQuery, ViewUpdate};
use serde::{Deserialize, Serialize};

use super::{PAGE, Records, RecordsError, Versioned, append, decode, encode, first_facts};

pub(super) const SCOPES: &str = "scope";
/// In the place of a version of facts: nobody believes such a row who does not know what an outline is.
const OUTLINED: u32 = 0;
/// Bad releases that are moved into rows of their own in one transaction. A scope that has more of them, none of which was
/// moved yet, keeps them in its row.
const MOST_MOVED: usize = 10_000;

/// A row of the view `scope`.
#[derive(Serialize, Deserialize)]
struct ScopeView {
    #[serde(default = "first_facts")]
    facts: u32,
    /// The facts that an outline was made of; none in a row that has the whole scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outlined: Option<u32>,
    seq: u64,
    name: ScopeName,
    scope: Scope,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bad: BTreeMap<ReleaseId, u64>,
}

impl ScopeView {
    /// What it holds, when a program that writes `facts` may believe it.
    fn believed(self, facts: u32) -> Option<Versioned<Outline>> {
        let outline = match self.outlined {
            Some(made_of) if made_of == facts => Outline { scope: self.scope, bad: self.bad },
            None if self.facts == facts => Outline { scope: self.scope, bad: BTreeMap::new() },
            Some(_) | None => return None,
        };
        Some(Versioned { value: outline, seq: self.seq })
    }
}

/// What a row and its stream say of the bad releases of a scope.
fn view_of_bad(stream: &str) -> String {
    format!("bad/{stream}")
}

impl Records {
    /// The state of a scope; a scope that nothing happened to is free and knows nothing.
    pub async fn scope(&self, name: &ScopeName) -> Result<Versioned<Scope>, RecordsError> {
        let stream = name.stream();
        let mut scope = match self.outline(&stream).await? {
            Some(Versioned { value, seq }) => {
                let known = if value.bad.is_empty() { Vec::new() } else { self.known_bad(&stream).await? };
                value.whole(known).map(|value| Versioned { value, seq })
            }
            None => None,
        }
        // A view that is gone or from another version is made again from the facts.
        .unwrap_or(Versioned { value: Scope::default(), seq: 0 });
        loop {
            let records = self.ledger.read(&stream, scope.seq, PAGE).await?;
            for record in &records {
                let fact: ScopeFact = decode(record)?;
                scope.value.apply(record.at, &fact);
                scope.seq = record.seq;
            }
            // A page may be cut by its size; only an empty one is the end.
            if records.is_empty() {
                return Ok(scope);
            }
        }
    }

    /// Every scope that something happened to, with the names of its bad releases only.
    pub async fn scopes(&self) -> Result<Vec<(ScopeName, Outline)>, RecordsError> {
        let rows = self.ledger.views(SCOPES, ViewQuery::newest(PAGE)).await?;
        let views = rows.into_iter().filter_map(|row| ScopeView::deserialize(row.body).ok());
        let mut scopes = Vec::new();
        for view in views {
            let name = view.name.clone();
            let outline = match view.believed(self.writer.facts) {
                Some(outline) => outline.value,
                None => self.scope(&name).await?.value.outline(),
            };
            scopes.push((name, outline));
        }
        scopes.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(scopes)
    }

    /// Writes the views of a scope as this program would, without a new fact.
    ///
    /// # Errors
    /// A conflict, when something happened to the scope meanwhile: then its views were written anyway.
    pub async fn renew_views(&self, at: Time, name: &ScopeName) -> Result<(), RecordsError> {
        let scope = self.scope(name).await?;
        let (append, views, _) = self.with_views(at, name, &scope, &[], &BTreeMap::new())?;
        self.write(Batch { at, by: "andon".to_owned(), appends: vec![append], views }).await?;
        Ok(())
    }

    /// One transaction: facts of a scope that no deployment is about. On success the value has moved on.
    pub(crate) async fn commit_scope(
        &self,
        at: Time,
        by: &str,
        name: &ScopeName,
        scope: &mut Versioned<Scope>,
        facts: &[ScopeFact],
    ) -> Result<(), RecordsError> {
        let (append, views, moved) = self.on_scope(at, name, scope, facts).await?;
        let batch = Batch { at, by: by.to_owned(), appends: vec![append], views };
        self.write(batch).await?;
        *scope = moved;
        Ok(())
    }

    /// What facts add to a scope: to its stream, to its views, and to its value.
    pub(super) async fn on_scope(
        &self,
        at: Time,
        name: &ScopeName,
        scope: &Versioned<Scope>,
        facts: &[ScopeFact],
    ) -> Result<(StreamAppend, Vec<ViewUpdate>, Versioned<Scope>), RecordsError> {
        // What the row names now has its own row already. Where somebody changes it meanwhile, there is a conflict.
        let kept = self.outline(&name.stream()).await?.map(|outline| outline.value.bad).unwrap_or_default();
        self.with_views(at, name, scope, facts, &kept)
    }

    /// The same, where the bad releases in `kept` have rows of their own already.
    fn with_views(
        &self,
        at: Time,
        name: &ScopeName,
        scope: &Versioned<Scope>,
        facts: &[ScopeFact],
        kept: &BTreeMap<ReleaseId, u64>,
    ) -> Result<(StreamAppend, Vec<ViewUpdate>, Versioned<Scope>), RecordsError> {
        let mut value = scope.value.clone();
        for fact in facts {
            value.apply(at, fact);
        }
        let seq = scope.seq + facts.len() as u64;
        let (stream, made_of) = (name.stream(), self.writer.facts);
        let append = append(stream.clone(), scope.seq, facts)?;
        let outline = value.outline();
        let is_new = |known: &&KnownRelease| kept.get(&known.release.id) != Some(&known.judgement());
        let bad = value.releases.values().filter(|known| known.status == ReleaseStatus::Bad);
        let new: Vec<&KnownRelease> = bad.filter(is_new).collect();
        let view = if new.len() > MOST_MOVED {
            let scope = value.clone();
            ScopeView { facts: made_of, outlined: None, seq, name: name.clone(), scope, bad: BTreeMap::new() }
        } else {
            let Outline { scope, bad } = outline;
            ScopeView { facts: OUTLINED, outlined: Some(made_of), seq, name: name.clone(), scope, bad }
        };
        let moved = if view.outlined.is_some() { new.as_slice() } else { &[] };
        let mut views = vec![ViewUpdate {
            view: SCOPES.to_owned(),
            key: stream.clone(),
            rank: at.0,
            body: encode(&view)?,
        }];
        for known in moved {
            let rank = i64::try_from(known.judgement()).unwrap_or(i64::MAX);
            let (view, key) = (view_of_bad(&stream), known.release.id.to_string());
            views.push(ViewUpdate { view, key, rank, body: encode(known)? });
        }
        Ok((append, views, Versioned { value, seq }))
    }

    /// What the view of a scope says, when this program may believe it.
    async fn outline(&self, stream: &str) -> Result<Option<Versioned<Outline>>, RecordsError> {
        let row = self.ledger.view(SCOPES, stream).await?;
        let view = row.and_then(|row| ScopeView::deserialize(row).ok());
        Ok(view.and_then(|view| view.believed(self.writer.facts)))
    }

    /// What is known of the bad releases of a scope, the newest judgement first.
    async fn known_bad(&self, stream: &str) -> Result<Vec<KnownRelease>, RecordsError> {
        let (view, mut query, mut known) = (view_of_bad(stream), ViewQuery::newest(PAGE), Vec::new());
        loop {
            let rows = self.ledger.views(&view, query.clone()).await?;
            let Some(last) = rows.last() else { return Ok(known) };
            query = query.behind(last);
            known.extend(rows.into_iter().filter_map(|row| KnownRelease::deserialize(row.body).ok()));
        }
    }
}

#[cfg(test)]
mod tests;
