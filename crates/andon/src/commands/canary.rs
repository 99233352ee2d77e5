//! `andon canary`: looks again at what releases were judged by.

use std::path::PathBuf;

use clap::Subcommand;

use super::Done;
use crate::args::Common;

mod replay;

/// What is done with recordings.
#[derive(Debug, Subcommand)]
pub(crate) enum CanaryCommand {
    /// Judge a recording again, and show how the judgement developed
    ///
    /// The same recording and rules give the same verdict, bit for bit. Ends with 1 when the verdict is fail.
    #[command(
        after_help = "Examples:\n  andon canary replay .andon/evaluations/rollout-42/recording.jsonl\n  andon canary replay recording.jsonl --alpha 0.01 --json"
    )]
    Replay {
        /// The recording
        file: PathBuf,
        /// Judge by this nominal probability of a false accusation [default: the recording's own]
        #[arg(long, value_name = "SHARE", value_parser = share)]
        alpha: Option<f64>,
    },
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 0.5 => Ok(share),
        _ => Err("it is greater than 0 and at most 0.5".to_owned()),
    }
}

pub(crate) async fn canary(common: &Common, command: CanaryCommand) -> Done {
    match command {
        CanaryCommand::Replay { file, alpha } => replay::replay(common, &file, alpha),
    }
}
