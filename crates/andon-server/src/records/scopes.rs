//! Scopes and their views. The view `scope` has an [`Outline`] a row: all of a scope, and of most of its releases only the
//! names, so that listing a hundred scopes after years reads little. What is known of the others is read where a release
//! is decided about: the good ones, which are few, are one row of the view `good`; the bad ones, which become ever more,
//! have a view for each scope with a row for each release, and each is written once.
//!
//! A row says of which facts it was made, and whether it is an outline. Programs that know no outlines find a number in it
//! that they do not believe, and make the scope again from its facts.

use std::collections::BTreeMap;

use andon_core::release::ReleaseId;
use andon_core::scope::{KnownRelease, Outline, Scope, ScopeFact, ScopeName};
use andon_core::time::Time;
use andon_store::{Batch, StreamAppend, ViewQuery, ViewUpdate};
use serde::{Deserialize, Serialize};

use super::{PAGE, Records, RecordsError, Versioned, append, decode, encode, first_facts};

pub(super) const SCOPES: &str = "scope";
const GOOD: &str = "good";
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
    good: BTreeMap<ReleaseId, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bad: BTreeMap<ReleaseId, u64>,
}

impl ScopeView {
    /// What it holds, when a program that writes `facts` may believe it.
    fn believed(self, facts: u32) -> Option<Versioned<Outline>> {
        let believed = match self.outlined {
            Some(made_of) => made_of == facts,
            // A whole scope names nothing beside itself.
            None => self.facts == facts,
        };
        let Self { scope, good, bad, seq, .. } = self;
        believed.then_some(Versioned { value: Outline { scope, good, bad }, seq })
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
                let known = if value.is_whole() { Vec::new() } else { self.known(&stream, &value).await? };
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

    /// Every scope that something happened to, as an outline.
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
        let (append, views, _) = self.with_views(at, name, &scope, &[], &Outline::default())?;
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
        // What the row names now is kept already. Where somebody changes it meanwhile, there is a conflict.
        let kept = self.outline(&name.stream()).await?.map(|outline| outline.value).unwrap_or_default();
        self.with_views(at, name, scope, facts, &kept)
    }

    /// The same, where what is known of the releases that `kept` names is kept already.
    fn with_views(
        &self,
        at: Time,
        name: &ScopeName,
        scope: &Versioned<Scope>,
        facts: &[ScopeFact],
        kept: &Outline,
    ) -> Result<(StreamAppend, Vec<ViewUpdate>, Versioned<Scope>), RecordsError> {
        let mut value = scope.value.clone();
        for fact in facts {
            value.apply(at, fact);
        }
        let seq = scope.seq + facts.len() as u64;
        let (stream, made_of) = (name.stream(), self.writer.facts);
        let append = append(stream.clone(), scope.seq, facts)?;
        let Outline { scope: outlined, good, bad } = value.outline();
        let known = |id: &ReleaseId| value.releases.get(id);
        let is_kept = |(id, number): &(&ReleaseId, &u64)| kept.bad.get(*id) == Some(*number);
        let new_bad: Vec<_> =
            bad.iter().filter(|named| !is_kept(named)).filter_map(|(id, _)| known(id)).collect();
        let name = name.clone();
        if new_bad.len() > MOST_MOVED {
            let (none, scope) = (BTreeMap::new(), value.clone());
            let view =
                ScopeView { facts: made_of, outlined: None, seq, name, scope, good: none.clone(), bad: none };
            return Ok((append, vec![row(SCOPES, &stream, at.0, &view)?], Versioned { value, seq }));
        }
        let mut views = Vec::new();
        for known in new_bad {
            let rank = i64::try_from(known.judgement()).unwrap_or(i64::MAX);
            views.push(row(&view_of_bad(&stream), known.release.id.as_str(), rank, known)?);
        }
        if good.iter().any(|(id, number)| kept.good.get(id) != Some(number)) {
            let known: Vec<&KnownRelease> = good.keys().filter_map(known).collect();
            views.push(row(GOOD, &stream, at.0, &known)?);
        }
        let outlined =
            ScopeView { facts: OUTLINED, outlined: Some(made_of), seq, name, scope: outlined, good, bad };
        views.push(row(SCOPES, &stream, at.0, &outlined)?);
        Ok((append, views, Versioned { value, seq }))
    }

    /// What the view of a scope says, when this program may believe it.
    async fn outline(&self, stream: &str) -> Result<Option<Versioned<Outline>>, RecordsError> {
        let row = self.ledger.view(SCOPES, stream).await?;
        let view = row.and_then(|row| ScopeView::deserialize(row).ok());
        Ok(view.and_then(|view| view.believed(self.writer.facts)))
    }

    /// What is kept of the releases that an outline names.
    async fn known(&self, stream: &str, outline: &Outline) -> Result<Vec<KnownRelease>, RecordsError> {
        let good = self.ledger.view(GOOD, stream).await?;
        let mut known: Vec<KnownRelease> =
            good.and_then(|good| Vec::deserialize(good).ok()).unwrap_or_default();
        if outline.bad.is_empty() {
            return Ok(known);
        }
        let (view, mut query) = (view_of_bad(stream), ViewQuery::newest(PAGE));
        loop {
            let rows = self.ledger.views(&view, query.clone()).await?;
            let Some(last) = rows.last() else { return Ok(known) };
            query = query.behind(last);
            known.extend(rows.into_iter().filter_map(|row| KnownRelease::deserialize(row.body).ok()));
        }
    }
}

fn row(view: &str, key: &str, rank: i64, body: &impl Serialize) -> Result<ViewUpdate, RecordsError> {
    Ok(ViewUpdate { view: view.to_owned(), key: key.to_owned(), rank, body: encode(body)? })
}

#[cfg(test)]
mod tests;
