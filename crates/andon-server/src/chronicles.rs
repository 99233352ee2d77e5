//! All deployments in memory, kept up with the ledger: what pages ask instead of the ledger. Reads, never writes.
//!
//! Whoever asks gets a [`Known`] that never changes; a newer one takes its place. So readers wait for nobody, and nobody
//! waits for readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use andon_core::chronicle::Chronicle;
use andon_core::chronicle::dna::Ages;
use andon_core::deployment::{DeploymentId, Summary};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::scope::{Outline, ScopeName};
use tokio::sync::{Notify, watch};

use crate::records::{Records, RecordsError};

/// How often it is looked whether something was recorded; sooner when somebody asks for what is newest.
const ROUND: Duration = Duration::from_millis(250);
/// How long somebody waits for what is newest before taking what there is.
const PATIENCE: Duration = Duration::from_secs(1);
/// Rows that are read at once when the server starts.
const AT_ONCE: usize = 5_000;

/// What is known at one moment.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Every deployment.
    pub deployments: Chronicle,
    /// Every scope that something happened to: its lock, what is current, its hosts that are held out.
    pub scopes: BTreeMap<ScopeName, Arc<Outline>>,
    /// The place in the ledger up to which this is true.
    pub position: u64,
    /// Made when it is first asked for.
    ages: OnceLock<Ages>,
}

impl Known {
    /// When each release came to its scopes.
    pub fn ages(&self) -> &Ages {
        self.ages.get_or_init(|| Ages::of(&self.deployments))
    }
}

/// What is known, and how to get what is newest. Cheap to copy; it is kept up as long as a copy is left.
#[derive(Debug, Clone)]
pub struct Chronicles {
    records: Records,
    latest: watch::Receiver<Arc<Known>>,
    hurry: Arc<Notify>,
}

impl Chronicles {
    /// Reads all summaries of a ledger, then follows it.
    ///
    /// # Errors
    /// [`RecordsError`], when the ledger cannot be read now. Later failures leave what is known as it is, and are tried
    /// again.
    pub async fn start(records: Records) -> Result<Self, RecordsError> {
        let known = load(&records).await?;
        let (publish, latest) = watch::channel(Arc::new(known));
        let hurry = Arc::new(Notify::new());
        tokio::spawn(follow(records.clone(), publish, Arc::clone(&hurry)));
        Ok(Self { records, latest, hurry })
    }

    /// What is known; at most a moment old.
    pub fn now(&self) -> Arc<Known> {
        Arc::clone(&self.latest.borrow())
    }

    /// What is known, with everything that was recorded before this was called: whoever has just changed something sees
    /// it. Where that cannot be had within a second, what there is.
    pub async fn fresh(&self) -> Arc<Known> {
        let Ok(head) = self.records.ledger().head().await else { return self.now() };
        let mut latest = self.latest.clone();
        if latest.borrow().position < head {
            self.hurry.notify_one();
            let _ = tokio::time::timeout(PATIENCE, latest.wait_for(|known| known.position >= head)).await;
        }
        Arc::clone(&latest.borrow())
    }

    /// Changes whenever something more is known.
    pub fn changes(&self) -> watch::Receiver<Arc<Known>> {
        self.latest.clone()
    }
}

async fn load(records: &Records) -> Result<Known, RecordsError> {
    // What is recorded while this reads is read once more behind this place.
    let position = records.ledger().head().await?;
    let mut deployments = Chronicle::new();
    for (id, hosts) in records.fleets().await? {
        deployments.learn(id, hosts);
    }
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = records.summaries(before, AT_ONCE).await?;
        let Some((rank, _)) = page.last() else { break };
        before = Some(*rank);
        pages.push(page);
    }
    // They were read from the newest on, and go in from the oldest on.
    let oldest_first = pages.into_iter().rev().flat_map(|page| page.into_iter().rev());
    oldest_first.filter_map(|(_, summary)| summary).for_each(|summary| deployments.apply(summary));
    let scopes = records.scopes().await?.into_iter().map(|(name, scope)| (name, Arc::new(scope)));
    Ok(Known { deployments, scopes: scopes.collect(), position, ages: OnceLock::new() })
}

async fn follow(records: Records, publish: watch::Sender<Arc<Known>>, hurry: Arc<Notify>) {
    loop {
        tokio::select! {
            () = publish.closed() => return,
            () = hurry.notified() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
        if let Err(error) = catch_up(&records, &publish).await {
            tracing::warn!(%error, "the ledger cannot be followed now; pages show what was known before");
        }
    }
}

/// Reads what was recorded since, page by page, and makes each known.
async fn catch_up(records: &Records, publish: &watch::Sender<Arc<Known>>) -> Result<(), RecordsError> {
    let head = records.ledger().head().await?;
    loop {
        let before = Arc::clone(&publish.borrow());
        if before.position >= head {
            return Ok(());
        }
        let (mut changed, mut scopes) = (BTreeSet::new(), BTreeSet::new());
        let mut position = before.position;
        for record in records.behind(before.position).await? {
            position = record.position;
            match subject(&record.stream) {
                Some(Subject::Deployment(id)) => drop(changed.insert(id)),
                Some(Subject::Scope(name)) => drop(scopes.insert(name)),
                None => {}
            }
        }
        if position == before.position {
            return Ok(());
        }
        let mut known = Known {
            deployments: before.deployments.clone(),
            scopes: before.scopes.clone(),
            position,
            ages: OnceLock::new(),
        };
        for id in changed {
            if let Some(summary) = records.summary(id).await? {
                hear(records, &mut known.deployments, summary).await?;
            }
        }
        for name in scopes {
            let scope = records.scope(&name).await?.value.outline();
            known.scopes.insert(name, Arc::new(scope));
        }
        publish.send_replace(Arc::new(known));
    }
}

async fn hear(records: &Records, deployments: &mut Chronicle, summary: Summary) -> Result<(), RecordsError> {
    if let Some(fleet) = summary.course.fleet
        && deployments.fleet(fleet).is_none()
        && let Some(hosts) = records.fleet(fleet).await?
    {
        deployments.learn(fleet, hosts);
    }
    deployments.apply(summary);
    Ok(())
}

/// What a stream is about.
enum Subject {
    Deployment(DeploymentId),
    Scope(ScopeName),
}

fn subject(stream: &str) -> Option<Subject> {
    if let Some(number) = stream.strip_prefix("deployment/") {
        return number.parse().ok().map(|number| Subject::Deployment(DeploymentId(number)));
    }
    let (service, environment) = stream.strip_prefix("scope/")?.split_once('/')?;
    let service = ServiceName::new(service).ok()?;
    Some(Subject::Scope(ScopeName { service, environment: EnvironmentName::new(environment).ok()? }))
}
