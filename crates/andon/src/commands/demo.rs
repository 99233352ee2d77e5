//! `andon demo`: being built.
use super::Done;
use crate::args::Common;
use crate::failure::Failure;
use clap::Args;

/// What the demo's web service is told.
#[derive(Debug, Args)]
pub(crate) struct ServiceArgs {
    /// The port to listen on
    #[arg(long)]
    port: u16,
}

pub(crate) async fn demo(_common: &Common, _once: bool) -> Done {
    Err(Failure::broken("not yet"))
}

pub(crate) fn serve(_args: &ServiceArgs) -> Done {
    Err(Failure::broken("not yet"))
}
