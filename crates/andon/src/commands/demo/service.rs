//! The web service of the demo: the application of `andon-load`, told by words what it is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use andon_load::{Behaviour, Site};
use clap::Args;

use crate::commands::Done;
use crate::exit;
use crate::failure::Failure;

/// What the demo's web service is told.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// The port to listen on
    #[arg(long)]
    port: u16,
    /// The directory that holds index.html and the other pages
    #[arg(long, value_name = "DIR")]
    pages: PathBuf,
    /// The release that it belongs to, as answers name it
    #[arg(long, env = "ANDON_RELEASE", default_value = "unknown", value_name = "RELEASE")]
    release: String,
    /// End what is under way before ending
    #[arg(long)]
    graceful: bool,
    #[command(flatten)]
    behaviour: BehaviourArgs,
}

/// What its pages cost, and what goes wrong with them.
#[derive(Debug, Args)]
struct BehaviourArgs {
    /// The mean time that a page costs, in microseconds
    #[arg(long, default_value_t = 0, value_name = "MICROSECONDS")]
    work: u64,
    /// What it costs instead, in hundredths of that
    #[arg(long, default_value_t = 100, value_name = "PERCENT")]
    work_percent: u32,
    /// Of a million pages, those that are answered with an error
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    failing: u32,
    /// Of a hundred orders, those that get lost
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    orders_lost: u32,
    /// Where orders are reported, as StatsD over UDP
    #[arg(long, value_name = "ADDRESS")]
    statsd: Option<SocketAddr>,
    /// What the reports call this host
    #[arg(long, env = "ANDON_HOST", default_value = "", value_name = "NAME")]
    host: String,
    /// The file with what befalls all instances: pages of a million that fail, and what pages cost
    #[arg(long, value_name = "FILE")]
    weather: Option<PathBuf>,
}

impl From<BehaviourArgs> for Behaviour {
    fn from(args: BehaviourArgs) -> Self {
        let BehaviourArgs { work, work_percent, failing, orders_lost, statsd, host, weather } = args;
        Self { work: Duration::from_micros(work), work_percent, failing, orders_lost, statsd, host, weather }
    }
}

/// Serves until the process is ended.
pub(crate) async fn serve(args: ServiceArgs) -> Done {
    let ServiceArgs { port, pages, release, graceful, behaviour } = args;
    let behaviour = behaviour.into();
    let served = Site { port, pages, release, graceful, behaviour }.serve().await;
    served.map_err(|error| Failure::broken(format!("port {port} of 127.0.0.1: {error}")))?;
    Ok(exit::OK)
}
