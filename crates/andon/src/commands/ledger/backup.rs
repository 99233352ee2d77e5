//! `andon ledger backup`: the ledger in one file.

use std::path::{Path, PathBuf};

use andon_core::quantity::ByteSize;
use andon_server::clock;
use andon_store::StoreError;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Done, say, say_json};
use super::existing;
use crate::args::Common;
use crate::context::ledger_failure;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

pub(super) async fn backup(common: &Common, to: &Path, force: bool) -> Done {
    let ledger = existing(common).await?;
    let to = named(to);
    let bar = (Paint::stderr().live && !common.json).then(bar);
    let progress = |done: u64, total: u64| {
        let Some(bar) = &bar else { return };
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.set_message("verifying the copy");
        }
    };
    let made = tokio::select! {
        made = ledger.back_up(&to, force, &progress) => made,
        // What was copied so far goes away with the future.
        _ = tokio::signal::ctrl_c() => return Ok(exit::LEFT),
    };
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let made = made.map_err(|error| explained(error, &to))?;
    if common.json {
        let value = serde_json::json!({
            "file": made.path, "bytes": made.bytes, "ledger": made.id,
            "records": made.records, "hash": made.hash,
        });
        say_json(&value);
    } else {
        say(&format!(
            "{} {} records in {} ({}), verified; the last hash is {}",
            Paint::stdout().tick(),
            made.records,
            made.path.display(),
            ByteSize(made.bytes),
            made.hash
        ));
    }
    Ok(exit::OK)
}

/// In a directory, the time is the name: sorted by name they are sorted by age.
fn named(to: &Path) -> PathBuf {
    if !to.is_dir() {
        return to.to_owned();
    }
    let stamp: String = clock::now().iso().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    to.join(format!("ledger-{stamp}.db"))
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {bytes} of {total_bytes}  {msg}") {
        bar.set_style(style);
    }
    bar
}

fn explained(error: StoreError, to: &Path) -> Failure {
    match &error {
        StoreError::Exists { .. } => Failure::refused(format!("{} exists already", to.display()))
            .why("a backup replaces nothing by itself; nothing has been changed")
            .next("name another file, or a directory; or: --force"),
        StoreError::Full { place } if Path::new(place).starts_with(to.parent().unwrap_or(to)) => {
            Failure::broken(format!("there is no space for the backup {}", to.display()))
                .why("what was copied so far was removed; the ledger is as it was")
                .next("free some space there, or name another place")
        }
        StoreError::Damaged { .. } => {
            ledger_failure(error).why("a copy of a damaged ledger is no backup; none was kept")
        }
        _ => ledger_failure(error),
    }
}
