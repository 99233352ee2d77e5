//! `andon ledger verify`: was anything changed behind our back?

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::open_ledger;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

pub(crate) async fn verify(common: &Common) -> Done {
    let controller = open_ledger(common).await?;
    let found = controller.records().ledger().verify().await.map_err(|error| {
        Failure::broken(error.to_string()).why("the chain could not be walked to its end")
    })?;
    let (paint, records) = (Paint::stdout(), found.records);
    if common.json {
        let fault = found.fault.as_ref().map(ToString::to_string);
        let value = serde_json::json!({ "records": records, "hash": found.hash, "fault": fault });
        say_json(&value);
    } else if let Some(fault) = &found.fault {
        say(&format!("{} the ledger was changed: {fault}", paint.cross()));
        say(
            "  why   every record carries the hash of the one before it; this one does not fit\n  next  restore the ledger from a backup, and find out who could write to it",
        );
    } else {
        say(&format!("{} {records} records, none changed; the last hash is {}", paint.tick(), found.hash));
    }
    Ok(if found.fault.is_some() { exit::NOT_WELL } else { exit::OK })
}
