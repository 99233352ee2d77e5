//! `andon run`: being built.
use super::Done;
use crate::args::Common;
use crate::failure::Failure;
use clap::Args;

/// What `andon run` is told.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A group or host of the line, or names for ssh, separated by commas
    #[arg(value_delimiter = ',')]
    pub(crate) targets: Vec<String>,
    /// The command
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

pub(crate) async fn run(_common: &Common, _args: RunArgs) -> Done {
    Err(Failure::broken("not yet"))
}
