//! `andon proxy`: the built-in balancer, and what people tell it by hand.
//!
//! Serving is `andon-proxy`'s; here are the words, and the sentences made of what the control socket answers.

use std::path::{Path, PathBuf};

use andon_api::proxy::{FromProxy, ToProxy};
use andon_core::balance::{BalancerFailure, FailureKind, PoolSight, Traffic};
use andon_core::name::ServerName;
use andon_proxy::control::{Client, ClientError};
use andon_proxy::process::{self, ProcessError};
use clap::{Args, Subcommand};

use super::{Done, say, say_json};
use crate::args::Common;
use crate::exit;
use crate::failure::Failure;

mod sight;

/// What `andon proxy` is told.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Its configuration
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/andon/proxy.toml")]
    #[arg(env = "ANDON_PROXY_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    what: Option<ProxyCommand>,
}

#[derive(Debug, Subcommand)]
enum ProxyCommand {
    /// Read the configuration and show every mistake; changes nothing
    #[command(after_help = "Example:\n  andon proxy check --config proxy.toml && andon proxy reload")]
    Check,
    /// Pools and servers as the running proxy sees them
    #[command(after_help = "Examples:\n  andon proxy show\n  andon proxy show www --json")]
    Show {
        #[command(flatten)]
        control: Control,
        /// Only this pool
        pool: Option<String>,
    },
    /// Give a server nothing new; what is under way there may end
    ///
    /// Remembered over restarts and reloads until `ready` or `weight`. A deployment that is under way has its own
    /// wishes, and says them again.
    #[command(after_help = "Example:\n  andon proxy drain www web1")]
    Drain {
        #[command(flatten)]
        server: ServerArgs,
        /// Cut what is under way
        #[arg(long)]
        cut: bool,
    },
    /// Give a server its full share
    #[command(after_help = "Example:\n  andon proxy ready www web1")]
    Ready {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Give a server a part of its full share
    #[command(after_help = "Example:\n  andon proxy weight www web1 25")]
    Weight {
        #[command(flatten)]
        server: ServerArgs,
        /// Of its full share, 1 to 100
        #[arg(value_parser = clap::value_parser!(u8).range(1..=100))]
        percent: u8,
    },
    /// Read the configuration again; a mistake leaves the old one in force
    #[command(after_help = "Example:\n  andon proxy reload")]
    Reload {
        #[command(flatten)]
        control: Control,
    },
}

/// Where the running proxy listens.
#[derive(Debug, Args)]
struct Control {
    /// Its control socket [default: as its configuration says]
    #[arg(long, value_name = "PATH", env = "ANDON_PROXY_CONTROL")]
    control: Option<PathBuf>,
}

/// One server.
#[derive(Debug, Args)]
struct ServerArgs {
    #[command(flatten)]
    control: Control,
    /// The pool
    pool: String,
    /// The server, as the configuration names it
    server: ServerName,
}

pub(crate) async fn proxy(common: &Common, args: ProxyArgs) -> Done {
    let file = &args.config;
    match args.what {
        None => process::run(file).await.map(|()| exit::OK).map_err(Failure::from),
        Some(ProxyCommand::Check) => check(common, file),
        Some(ProxyCommand::Show { control, pool }) => show(common, file, control, pool).await,
        Some(ProxyCommand::Drain { server, cut }) => {
            steer(common, file, server, if cut { Traffic::Cut } else { Traffic::Out }).await
        }
        Some(ProxyCommand::Ready { server }) => steer(common, file, server, Traffic::FULL).await,
        Some(ProxyCommand::Weight { server, percent }) => {
            steer(common, file, server, Traffic::In(percent)).await
        }
        Some(ProxyCommand::Reload { control }) => reload(common, file, control).await,
    }
}

fn check(common: &Common, file: &Path) -> Done {
    let config = process::read_config(file)?;
    let servers: usize = config.pools.values().map(|pool| pool.servers.len()).sum();
    if common.json {
        let value = serde_json::json!({
            "listeners": config.listen.len(), "pools": config.pools.len(), "servers": servers,
        });
        say_json(&value);
    } else {
        say(&format!(
            "{} is well formed: {}, {}, {}",
            file.display(),
            counted(config.listen.len(), "listener"),
            counted(config.pools.len(), "pool"),
            counted(servers, "server")
        ));
    }
    Ok(exit::OK)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

async fn show(common: &Common, file: &Path, control: Control, pool: Option<String>) -> Done {
    let mut client = connect(file, control).await?;
    let identity = client.identity().clone();
    let pools = pool.map_or_else(|| identity.pools.clone(), |pool| vec![pool]);
    let mut sights = Vec::new();
    for pool in pools {
        let sight = seen(&mut client, ToProxy::Show { pool: pool.clone() }).await?;
        sights.push((pool, sight));
    }
    if common.json {
        say_json(&sight::json(&identity, &sights));
    } else {
        say(&sight::text(&identity, &sights));
    }
    Ok(exit::OK)
}

async fn steer(common: &Common, file: &Path, args: ServerArgs, traffic: Traffic) -> Done {
    let mut client = connect(file, args.control).await?;
    let wishes = [(args.server.clone(), traffic)].into();
    let sight = seen(&mut client, ToProxy::Assert { pool: args.pool.clone(), wishes }).await?;
    if common.json {
        let value = serde_json::json!({ "pool": args.pool, "sight": sight });
        say_json(&value);
    } else if let Some(server) = sight.servers.get(&args.server) {
        say(&sight::told(&args.pool, &args.server, traffic, server));
    }
    Ok(exit::OK)
}

async fn reload(common: &Common, file: &Path, control: Control) -> Done {
    let mut client = connect(file, control).await?;
    match client.ask(&ToProxy::Reload).await?.0 {
        FromProxy::Reloaded { outcome: Ok(()) } if common.json => say(r#"{"reloaded":true}"#),
        FromProxy::Reloaded { outcome: Ok(()) } => say("the configuration was read again and is in force"),
        FromProxy::Reloaded { outcome: Err(failure) } => return Err(failure.into()),
        other => return Err(beside(&other)),
    }
    Ok(exit::OK)
}

/// Connects to the running proxy.
async fn connect(file: &Path, control: Control) -> Result<Client, Failure> {
    let path = match control.control {
        Some(path) => path,
        None => process::read_config(file)
            .map_err(|error| Failure::from(error).next("name the control socket: --control PATH"))?
            .control
            .ok_or_else(|| {
                Failure::usage(format!("{} names no control socket", file.display()))
                    .why("without one nothing can be asked of the proxy while it runs")
                    .next("add: control = \"/run/andon/proxy.sock\"")
            })?,
    };
    Ok(Client::connect(&path).await?)
}

async fn seen(client: &mut Client, question: ToProxy) -> Result<PoolSight, Failure> {
    match client.ask(&question).await?.0 {
        FromProxy::Sight { sight: Ok(sight) } => Ok(*sight),
        FromProxy::Sight { sight: Err(failure) } => Err(failure.into()),
        other => Err(beside(&other)),
    }
}

fn beside(answer: &FromProxy) -> Failure {
    match answer {
        FromProxy::Confused { why } => Failure::refused(format!("the proxy did not do it: {why}")),
        _ => Failure::broken("the proxy answered something else than what was asked"),
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        let what = error.to_string();
        match error {
            ProcessError::Config { .. } => Failure::usage(what).next("mend it, then: andon proxy check"),
            ProcessError::Unreadable { .. } => {
                Failure::usage(what).next("say where it is: andon proxy --config FILE")
            }
            ProcessError::HandOver(_) => Failure::broken(what)
                .why("the other one goes on serving; this one has not begun")
                .next("try again; or end the other one first"),
            ProcessError::Crashed(_) => Failure::broken(what),
            _ => Failure::broken(what).why("the proxy has not begun to serve"),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let what = error.to_string();
        match error {
            ClientError::Absent { .. } => Failure::broken(what)
                .next("start it: andon proxy --config FILE; or name its socket: --control PATH"),
            _ => Failure::broken(what),
        }
    }
}

impl From<BalancerFailure> for Failure {
    fn from(failure: BalancerFailure) -> Self {
        match failure.kind {
            FailureKind::Missing => Failure::usage(failure.reason),
            FailureKind::Unreachable => Failure::broken(failure.reason),
            FailureKind::Drift | FailureKind::Invalid | FailureKind::Refused => {
                Failure::refused(failure.reason)
            }
        }
    }
}
