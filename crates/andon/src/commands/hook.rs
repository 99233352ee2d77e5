//! `andon hook`: the commit check. Hooks in a Git repository that ask whether the line runs, hold commits against the
//! settings of the repository, and start the deployments that commits ask for.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Done;
use crate::args::Common;

mod asked;
mod commit;
mod door;
mod git;
mod install;
mod policy;
mod receive;
mod settings;
mod update;

/// What hooks are asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Put the commit check into a repository that people push to
    ///
    /// Writes pre-receive and post-receive hooks, and the settings file andon.toml, which is yours to edit from then
    /// on. Hooks that are there already are never overwritten.
    #[command(
        after_help = "Examples:\n  andon hook install /srv/git/www.git --data /srv/www/.andon\n  andon hook install /srv/git/www.git --server https://andon.example.com --branch main --branch 'release/*'\n  andon hook install . --line /srv/www/line.star --deploy www/production"
    )]
    Install(InstallArgs),
    /// Remove the hooks again; the settings stay
    #[command(after_help = "Example:\n  andon hook uninstall /srv/git/www.git")]
    Uninstall {
        /// The repository
        repository: PathBuf,
    },
    /// Whether the hooks are in place, and whether they reach the controller
    #[command(after_help = "Example:\n  andon hook status /srv/git/www.git")]
    Status {
        /// The repository
        repository: PathBuf,
    },
    /// Before a push is taken; started by Git
    #[command(hide = true)]
    PreReceive {
        /// The settings
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// After a push was taken; started by Git
    #[command(hide = true)]
    PostReceive {
        /// The settings
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Where the hooks go and how they behave. `--data`, `--server` and `--line` belong to every command.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The repository, bare or not
    pub(crate) repository: PathBuf,
    /// A protected branch; `*` stands for anything [default: main]
    #[arg(long, value_name = "BRANCH")]
    pub(crate) branch: Vec<String>,
    /// What becomes of a push while nobody can say whether the line runs
    #[arg(long, value_name = "SIDE", default_value = "closed")]
    pub(crate) when_unreachable: settings::Side,
    /// What commits may ask to be deployed, by their trailer Andon-Deploy
    #[arg(long, value_name = "SERVICE/ENVIRONMENT")]
    pub(crate) deploy: Vec<settings::Deployable>,
}

pub(crate) async fn hook(common: &Common, what: HookCommand) -> Done {
    match what {
        HookCommand::Install(args) => install::install(common, args).await,
        HookCommand::Uninstall { repository } => install::uninstall(&repository).await,
        HookCommand::Status { repository } => install::status(common, &repository).await,
        HookCommand::PreReceive { config } => receive::pre_receive(&config).await,
        HookCommand::PostReceive { config } => asked::post_receive(&config).await,
    }
}
