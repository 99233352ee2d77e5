//! Hosts behind agents: one conversation for each host, opened when it is first needed and again after a loss.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_api::agent::{ArtifactState, CHUNK, FromHost, Order, Refusal, ToHost};
use andon_api::secret::Secrets;
use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Sockets, Wishes};
use andon_core::host::{Authority, HostFacts, Outcome, Placement, Step, Token, TokenStatus};
use andon_core::line::{Host, Transport};
use andon_core::masking::Mask;
use andon_core::name::HostName;
use andon_core::vitals::HostVitals;
use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::conversation::{Conversation, piped};
use super::{Agents, HostError, Hosts, Supplies, bootstrap, local_root};
use crate::output::OutputFile;
use crate::ssh::SshOptions;

/// Connections that are opened at once: more would be a storm for small bastions and name servers.
const CONCURRENT_STARTS: usize = 30;
/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a controller waits for an order beyond its own time-out.
const GRACE: Duration = Duration::from_secs(60);
/// Pause before a busy host is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(200);

/// How this machine's own agent is started.
#[derive(Debug, Clone)]
pub struct LocalAgent {
    /// The program and the arguments before `stdio`.
    pub program: PathBuf,
    /// See `program`.
    pub prefix: Vec<OsString>,
}

/// Hosts that are reached through agents.
#[derive(Debug)]
pub struct AgentHosts {
    data: PathBuf,
    local: LocalAgent,
    ssh: SshOptions,
    agents: Agents,
    conversations: Mutex<HashMap<HostName, Slot>>,
    starts: Semaphore,
}

/// A conversation, and the way that it goes.
type Slot = Arc<tokio::sync::Mutex<Option<(Transport, Arc<Conversation>)>>>;

impl AgentHosts {
    /// Hosts whose local roots lie below `data`.
    pub fn new(data: PathBuf, local: LocalAgent, ssh: SshOptions, agents: Agents) -> Self {
        let starts = Semaphore::new(CONCURRENT_STARTS);
        Self { data, local, ssh, agents, conversations: Mutex::default(), starts }
    }

    async fn conversation(&self, host: &Host) -> Result<Arc<Conversation>, HostError> {
        let slot = {
            let mut slots = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(host.name.clone()).or_default())
        };
        // Held while connecting: whoever else wants this host waits for the one connection.
        let mut slot = slot.lock().await;
        // Where the line names another way by now, the old one leads to another machine, or with other rights.
        let fits = |(way, talk): &&(Transport, Arc<Conversation>)| *way == host.transport && talk.is_open();
        if let Some((_, open)) = slot.as_ref().filter(fits) {
            return Ok(Arc::clone(open));
        }
        let _start = self.starts.acquire().await.map_err(|error| HostError::Unable(error.to_string()))?;
        let opened = Arc::new(match &host.transport {
            Transport::Local => self.open_local(host).await?,
            Transport::Ssh { address, user, port, sudo } => {
                let target =
                    crate::ssh::SshTarget { address: address.clone(), user: user.clone(), port: *port };
                bootstrap::open(&self.ssh, &target, *sudo, &self.agents).await?
            }
        });
        *slot = Some((host.transport.clone(), Arc::clone(&opened)));
        Ok(opened)
    }

    /// An agent that lets a question unanswered is not asked again: the next one begins a new conversation. What is
    /// under way in this one stays with those who wait for it.
    fn hang_up(&self, host: &Host) {
        let slots = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        // A slot in use is being opened anew at this moment.
        if let Some(mut slot) = slots.get(&host.name).and_then(|slot| slot.try_lock().ok()) {
            *slot = None;
        }
    }

    async fn open_local(&self, host: &Host) -> Result<Conversation, HostError> {
        let root = local_root(&self.data, host);
        let unable = |error: std::io::Error| HostError::Unable(format!("{}: {error}", root.display()));
        crate::private::directory(&root).map_err(unable)?;
        let mut command = Command::new(&self.local.program);
        command.args(&self.local.prefix).arg("stdio");
        let child = piped(&mut command)
            .spawn()
            .map_err(|error| HostError::Unable(format!("{}: {error}", self.local.program.display())))?;
        Conversation::open(child, |said| said.trim().to_owned()).await
    }

    /// A local host's root lies below its own directory; a remote one's is absolute already.
    fn placed(&self, host: &Host, placement: &Placement) -> Placement {
        Placement { root: self.rooted(host, &placement.root), ..placement.clone() }
    }

    fn rooted(&self, host: &Host, root: &Path) -> PathBuf {
        match host.transport {
            Transport::Local => absolute(&local_root(&self.data, host)).join(root),
            Transport::Ssh { .. } => root.to_owned(),
        }
    }

    /// Brings the artifact to the host, unless it is there.
    async fn supply(&self, talk: &Conversation, order: &Order, artifact: &Path) -> Result<(), HostError> {
        let Step::Prepare { release, .. } = &order.step else { return Ok(()) };
        let offer = |id| ToHost::Offer {
            id,
            placement: Box::new(order.placement.clone()),
            authority: order.authority.clone(),
            digest: release.digest,
            size: release.packed.0,
        };
        let (id, mut answers) = talk.ask(offer).await?;
        let FromHost::Artifact { state: ArtifactState::WantedFrom(start), .. } = answers.next().await? else {
            return Ok(());
        };
        let unable = |error: std::io::Error| HostError::Unable(format!("{}: {error}", artifact.display()));
        let mut file = tokio::fs::File::open(artifact).await.map_err(unable)?;
        file.seek(std::io::SeekFrom::Start(start)).await.map_err(unable)?;
        let mut offset = start;
        loop {
            let mut bytes = Vec::with_capacity(CHUNK);
            (&mut file).take(CHUNK as u64).read_to_end(&mut bytes).await.map_err(unable)?;
            if bytes.is_empty() {
                break;
            }
            let length = bytes.len() as u64;
            talk.say(&ToHost::Piece { id, offset, bytes }).await?;
            offset += length;
        }
        match answers.next().await? {
            FromHost::Artifact { state: ArtifactState::Present, .. } => Ok(()),
            _ => Err(HostError::Lost("the artifact did not arrive whole".to_owned())),
        }
    }

    async fn follow(
        &self,
        talk: &Conversation,
        order: &Order,
        secrets: &Secrets,
        output: &mut OutputFile,
    ) -> Result<Outcome, HostError> {
        let start =
            ToHost::Start { order: Box::new(order.clone()), from: output.known(), secrets: secrets.clone() };
        // The host has hidden them already. What it missed shall not be kept and shown here.
        let mask = secrets.mask();
        let mut events = talk.order(&order.token, &start).await?;
        loop {
            match events.next().await? {
                FromHost::Output { offset, bytes, .. } => output.add(offset, &bytes).await,
                FromHost::Ended { status: TokenStatus::Finished(outcome), .. } => {
                    return Ok(masked(outcome, &mask));
                }
                FromHost::Ended { status: TokenStatus::Interrupted, .. } => {
                    return Err(HostError::Lost("the step was interrupted".to_owned()));
                }
                FromHost::Ended { .. } => {
                    return Err(HostError::Lost("the step is not known there".to_owned()));
                }
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Hosts for AgentHosts {
    async fn probe(
        &self,
        host: &Host,
        placement: &Placement,
        tokens: &[Token],
    ) -> Result<HostFacts, HostError> {
        let ask = async {
            let talk = self.conversation(host).await?;
            let placement = Box::new(self.placed(host, placement));
            let (_, mut answers) =
                talk.ask(|id| ToHost::Probe { id, placement, tokens: tokens.to_vec() }).await?;
            match answers.next().await? {
                FromHost::Facts { facts, .. } => Ok(*facts),
                _ => Err(HostError::Lost("its agent answered something else".to_owned())),
            }
        };
        let answer = in_time(PATIENCE, ask).await;
        if matches!(answer, Err(HostError::Lost(_))) {
            self.hang_up(host);
        }
        answer
    }

    async fn carry_out(&self, host: &Host, order: Order, supplies: &Supplies) -> Result<Outcome, HostError> {
        let placement = self.placed(host, &order.placement);
        let order = Order { placement, ..order };
        let work = async {
            let talk = self.conversation(host).await?;
            if let Some(artifact) = &supplies.artifact {
                self.supply(&talk, &order, artifact).await?;
            }
            let mut output =
                OutputFile::open(supplies.output.as_deref(), &order.token, supplies.secrets.mask()).await;
            loop {
                match self.follow(&talk, &order, &supplies.secrets, &mut output).await {
                    // A step that was given up is still being ended there.
                    Err(HostError::Refused(Refusal::Busy(_))) => tokio::time::sleep(BUSY_PAUSE).await,
                    ended => {
                        output.finish().await;
                        return ended;
                    }
                }
            }
        };
        in_time(order.timeout + GRACE, work).await
    }

    async fn balance(
        &self,
        at: &Host,
        pool: &Pool,
        authority: &Authority,
        wishes: &Wishes,
    ) -> Result<PoolSight, BalancerFailure> {
        let pool = Pool { root: self.rooted(at, &pool.root), ..pool.clone() };
        let ask = async {
            let talk = self.conversation(at).await?;
            let (pool, authority, wishes) = (Box::new(pool), authority.clone(), wishes.clone());
            let (_, mut answers) = talk.ask(|id| ToHost::Balance { id, pool, authority, wishes }).await?;
            match answers.next().await? {
                FromHost::Balanced { sight, .. } => Ok(sight.map(|sight| *sight)),
                _ => Err(HostError::Lost("its agent answered something else".to_owned())),
            }
        };
        match in_time(PATIENCE, ask).await {
            Ok(sight) => sight,
            Err(error) => {
                if matches!(error, HostError::Lost(_)) {
                    self.hang_up(at);
                }
                let kind = match error {
                    HostError::Unreachable(_) | HostError::Lost(_) => FailureKind::Unreachable,
                    HostError::Refused(_) | HostError::Unable(_) => FailureKind::Refused,
                };
                Err(BalancerFailure { kind, reason: error.to_string(), details: String::new() })
            }
        }
    }

    async fn count_sockets(&self, host: &Host, placement: &Placement) -> Result<Sockets, String> {
        let ask = async {
            let talk = self.conversation(host).await?;
            let placement = Box::new(self.placed(host, placement));
            let (_, mut answers) = talk.ask(|id| ToHost::CountSockets { id, placement }).await?;
            match answers.next().await? {
                FromHost::Sockets { sockets, .. } => Ok(sockets),
                _ => Err(HostError::Lost("its agent answered something else".to_owned())),
            }
        };
        in_time(PATIENCE, ask).await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn vitals(&self, host: &Host, placement: &Placement) -> Result<HostVitals, HostError> {
        let ask = async {
            let talk = self.conversation(host).await?;
            let placement = Box::new(self.placed(host, placement));
            let (_, mut answers) = talk.ask(|id| ToHost::Vitals { id, placement }).await?;
            match answers.next().await? {
                FromHost::Vitals { vitals, .. } => Ok(*vitals),
                _ => Err(HostError::Lost("its agent answered something else".to_owned())),
            }
        };
        let answer = in_time(PATIENCE, ask).await;
        if matches!(answer, Err(HostError::Lost(_))) {
            self.hang_up(host);
        }
        answer
    }

    async fn kill(&self, host: &Host, placement: &Placement, token: &Token) -> Result<(), HostError> {
        let placement = Box::new(self.placed(host, placement));
        let kill = ToHost::Kill { placement, token: token.clone() };
        in_time(PATIENCE, async { self.conversation(host).await?.say(&kill).await }).await
    }
}

fn masked(mut outcome: Outcome, mask: &Mask) -> Outcome {
    if let Outcome::Failed { reason, .. } = &mut outcome {
        *reason = mask.hide_text(reason);
    }
    if let Outcome::Failed { tail, .. } | Outcome::TimedOut { tail, .. } = &mut outcome {
        *tail = mask.hide_text(tail);
    }
    outcome
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, HostError>>,
) -> Result<T, HostError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(HostError::Lost(format!("nothing was heard for {} s", limit.as_secs()))),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
