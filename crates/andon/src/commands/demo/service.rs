//! The web service of the demo: the application of `andon-load`, told by words what it is.

use std::path::PathBuf;

use andon_load::Site;
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
}

/// Serves until the process is ended.
pub(crate) async fn serve(args: ServiceArgs) -> Done {
    let ServiceArgs { port, pages, release, graceful } = args;
    let served = Site { port, pages, release, graceful }.serve().await;
    served.map_err(|error| Failure::broken(format!("port {port} of 127.0.0.1: {error}")))?;
    Ok(exit::OK)
}
