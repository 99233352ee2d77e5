//! `andon ledger restore`: a backup in the place of the ledger.

use andon_server::clock;
use andon_store::{Restore, RestoreError, Restored, SqliteLedger, Standing};
use serde_json::json;

use super::super::{Done, say, say_json};
use super::RestoreArgs;
use crate::args::Common;
use crate::context::{LEDGER, data_of, ledger_failure, me, open_ledger_here, private_dir};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

pub(super) async fn restore(common: &Common, args: &RestoreArgs) -> Done {
    let data = data_of(common)?;
    private_dir(&data)?;
    let me = me();
    let restore = Restore {
        from: &args.file,
        at: clock::now(),
        by: &me.name,
        why: args.why.as_deref(),
        replace: args.replace,
    };
    let done = SqliteLedger::restore(&data.join(LEDGER), &restore).await.map_err(explained)?;
    let newest = open_ledger_here(common).await?.records().history(None, 1).await?.into_iter().next();
    let newest = newest.map(|row| row.id);
    if common.json {
        let value = json!({
            "ledger": done.id, "records": done.records, "hash": done.hash, "fence": done.fence,
            "kept": done.kept, "newest": newest,
        });
        say_json(&value);
        return Ok(exit::OK);
    }
    say(&format!(
        "{} {} records restored, all verified; one more says who restored them and why",
        Paint::stdout().tick(),
        done.records
    ));
    for line in consequences(&done) {
        say(&format!("  {line}"));
    }
    let newest = newest.map_or_else(
        || "it knows no deployment".to_owned(),
        |newest| format!("the newest deployment that it knows is {newest}; later numbers are given again"),
    );
    say(&format!("  {newest}\n  next  andon status; look at the hosts: andon status SERVICE; then deploy"));
    Ok(exit::OK)
}

/// What else is so now.
fn consequences(done: &Restored) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(kept) = &done.kept {
        let had = match &done.before {
            Standing::Ahead { records, common } => {
                format!("its records {} to {records} are not in the restored one", common.saturating_add(1))
            }
            Standing::Other { records, .. } => format!("another ledger, with {records} records"),
            Standing::Unreadable(_) => "it could not be read".to_owned(),
            Standing::Contained { .. } | Standing::Absent => "nothing of it is missing".to_owned(),
        };
        lines.push(format!("what was there is kept as {}: {had}", kept.display()));
    }
    lines.push(format!("hosts obey this ledger from now on: its fences go on above {}", done.fence));
    lines
}

fn explained(error: RestoreError) -> Failure {
    const UNTOUCHED: &str = "nothing has been changed";
    let what = error.to_string();
    match error {
        RestoreError::Store(error) => ledger_failure(error).why(UNTOUCHED),
        RestoreError::Fault { .. } => Failure::refused(what)
            .why(format!("only what verifies from its first record to its last is restored; {UNTOUCHED}"))
            .next("take another backup"),
        RestoreError::InUse { .. } => Failure::refused(what)
            .why(format!("it would go on with the old ledger and know nothing of the new one; {UNTOUCHED}"))
            .next("stop it: andon server, a deployment, a sweep; then restore again"),
        RestoreError::Held(_) => Failure::refused(what)
            .why(format!("its holder may be at work on hosts; {UNTOUCHED}"))
            .next("wait until it has finished; when it is gone: --replace --why TEXT"),
        RestoreError::Losing(_) => {
            Failure::refused(what).why(format!("a restore throws nothing away by itself; {UNTOUCHED}")).next(
                "restore a newer backup; or leave it behind, kept under another name: --replace --why TEXT",
            )
        }
    }
}
