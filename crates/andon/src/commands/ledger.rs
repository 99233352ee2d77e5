//! `andon ledger`: was anything changed behind our back, and what keeps the past when a disk does not.

mod backup;
mod export;
mod restore;

use std::path::PathBuf;
use std::sync::Arc;

use andon_core::deployment::DeploymentId;
use andon_core::name::ServiceName;
use andon_store::{Fault, Ledger, SqliteLedger, StoreError, Verification};
use clap::{Args, Subcommand};

use super::{Done, say, say_json};
use crate::args::{Common, deployment_id};
use crate::context::{LEDGER, data_of, ledger_failure};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::{Remote, choice};

/// What is done with the ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Walk over the whole chain and name the first record that was changed
    #[command(
        after_help = "Examples:\n  andon ledger verify\n  andon ledger verify /backup/ledger-20261128T091203.db"
    )]
    Verify {
        /// Look at this backup instead; it is not changed
        file: Option<PathBuf>,
    },
    /// Copy the ledger into one file while others go on writing, and verify the copy
    ///
    /// The copy is the ledger at one moment. It gets its name once it is verified and on the disk: a backup is whole or
    /// not there. Ends with 3 when the file exists.
    #[command(
        after_help = "Examples:\n  andon ledger backup /backup            # names the file by the time\n  andon ledger backup today.db --force"
    )]
    Backup {
        /// A file, or a directory for a file that is named by the time
        to: PathBuf,
        /// Replace the file when it exists
        #[arg(long)]
        force: bool,
    },
    /// Put a backup in the place of the ledger
    ///
    /// Verifies the backup first. Refuses while another process has the ledger open, and when the present ledger knows
    /// something that the backup does not, unless told to replace it. What was there is kept under another name. Hosts
    /// obey the restored ledger: its fences go on above all that were granted before.
    #[command(
        after_help = "Examples:\n  andon ledger restore /backup/ledger-20261128T091203.db\n  andon ledger restore backup.db --replace --why \"the disk failed, see ticket 17\""
    )]
    Restore(RestoreArgs),
    /// Write every record as a line of JSON, in order
    ///
    /// The fact comes last in each line, in the very bytes that were hashed, so that the chain can be checked without
    /// andon (docs/design/ledger.md). It needs little memory however large the ledger is.
    #[command(
        after_help = "Examples:\n  andon ledger export | jq -c 'select(.stream == \"line\") | [.at, .by, .fact]'\n  andon ledger export --service www --since 7d --output www.jsonl\n  andon ledger export --deployment 128"
    )]
    Export(ExportArgs),
}

/// What is restored, and what may be lost by it.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    /// Also when the present ledger knows more, is another one, is damaged, or is leased
    #[arg(long, requires = "why")]
    replace: bool,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// Which records, and where they go.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Only what was recorded since: `7d`, `2026-11-28`, `2026-11-28T09:00`, `2026-11-28T09:00:00Z`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only the deployments and scopes of this service
    #[arg(long)]
    service: Option<ServiceName>,
    /// Only this deployment
    #[arg(long, value_name = "NUMBER", value_parser = deployment_id)]
    deployment: Option<DeploymentId>,
    /// Into a new file, which is there once it is whole [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn ledger(common: &Common, what: LedgerCommand) -> Done {
    match what {
        LedgerCommand::Verify { file } => verify(common, file).await,
        LedgerCommand::Backup { to, force } => {
            only_here(common, "backup")?;
            backup::backup(common, &to, force).await
        }
        LedgerCommand::Restore(args) => {
            only_here(common, "restore")?;
            restore::restore(common, &args).await
        }
        LedgerCommand::Export(args) => export::export(common, &args).await,
    }
}

/// The ledger, which must be there: looking after one makes none.
async fn existing(common: &Common) -> Result<SqliteLedger, Failure> {
    let path = data_of(common)?.join(LEDGER);
    match SqliteLedger::is_at(&path) {
        true => SqliteLedger::open(&path).await.map_err(ledger_failure),
        false => Err(Failure::usage(format!("there is no ledger at {}", path.display()))
            .why("nothing was ever deployed from here, or it lies elsewhere")
            .next("say where it is: --data DIR")),
    }
}

/// The ledger to be read: here, or over the server that is meant.
async fn to_read(common: &Common) -> Result<Arc<dyn Ledger>, Failure> {
    match choice::chosen(common)? {
        Some(chosen) => Ok(Arc::clone(Remote::connect(chosen).await?.records().ledger())),
        None => Ok(Arc::new(existing(common).await?)),
    }
}

/// Backups and their way back are files beside the ledger: whoever names a server is told so.
fn only_here(common: &Common, what: &str) -> Result<(), Failure> {
    let Some(chosen) = choice::chosen(common)? else { return Ok(()) };
    Err(Failure::refused(format!("{what} is for the machine that the ledger lies on: {} has it", chosen.url))
        .why("a backup that crosses a network is as good as that; nothing has been changed")
        .next(format!("there: andon ledger {what} … --data DIR; for a ledger of this machine: --local")))
}

async fn verify(common: &Common, file: Option<PathBuf>) -> Done {
    let (place, id, found) = match &file {
        Some(file) => {
            let examined = SqliteLedger::examine(file).await.map_err(unwalkable)?;
            (file.display().to_string(), examined.id, examined.verification)
        }
        None => {
            let ledger = to_read(common).await?;
            let found = ledger.verify().await.map_err(unwalkable)?;
            ("the ledger".to_owned(), ledger.id().to_owned(), found)
        }
    };
    let Verification { records, hash, fault } = &found;
    if common.json {
        let fault = fault.as_ref().map(ToString::to_string);
        let value = serde_json::json!({ "ledger": id, "records": records, "hash": hash, "fault": fault });
        say_json(&value);
    } else {
        let paint = Paint::stdout();
        match fault {
            Some(fault) => say(&format!("{} {}", paint.cross(), wrong(&place, *records, fault))),
            None => {
                say(&format!("{} {records} records, none changed; the last hash is {hash}", paint.tick()))
            }
        }
    }
    Ok(if fault.is_some() { exit::NOT_WELL } else { exit::OK })
}

/// What is wrong, what is still sound, and what to do.
fn wrong(place: &str, records: u64, fault: &Fault) -> String {
    let sound = match records {
        0 => "none before it was seen".to_owned(),
        _ => format!("records 1 to {records} are sound"),
    };
    format!(
        "{place} was changed: {fault}\n  why   every record carries the hash of the one before it; this one does not fit; {sound}\n  \
         next  keep a copy; restore from a backup: andon ledger restore FILE; and find out who could write to it"
    )
}

fn unwalkable(error: StoreError) -> Failure {
    match error {
        StoreError::Damaged { .. } => ledger_failure(error).why("the chain could not be walked to its end"),
        other => ledger_failure(other),
    }
}
