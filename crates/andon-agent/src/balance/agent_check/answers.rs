//! What HAProxy is to be told of each server, on disk: written by the agent, read by the responder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use andon_core::balance::{Server, Wishes};
use andon_core::name::ServerName;
use serde::{Deserialize, Serialize};

use crate::durable;

/// What is told of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// The share of its full weight, in hundredths; 0 drains it.
    pub(super) share: u8,
    /// The share before that.
    pub(super) before: u8,
    /// Grows with every change: questions are counted for one answer.
    pub(super) number: u64,
}

/// What is told of all servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) servers: BTreeMap<ServerName, Answer>,
}

impl Answers {
    /// Whether there are any, even if they cannot be read at this moment.
    pub(super) fn exist(records: &Path) -> bool {
        fs::exists(file(records)).unwrap_or(true)
    }

    pub(super) fn read(records: &Path) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(file(records))?).map_err(io::Error::from)
    }

    /// Writes down what is wished, and says whose answers are others than before. A server that nothing was ever
    /// wished of gets all of its traffic.
    pub(super) fn update(
        records: &Path,
        servers: &[Server],
        wishes: &Wishes,
    ) -> io::Result<(Self, BTreeSet<ServerName>)> {
        let before = match Self::read(records) {
            Ok(answers) => Some(answers),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut answers = Self::default();
        let mut changed = BTreeSet::new();
        for Server { name, .. } in servers {
            let known = before.as_ref().and_then(|before| before.servers.get(name)).cloned();
            let mut answer = known.unwrap_or(Answer { share: 100, before: 100, number: 0 });
            if let Some(share) = wishes.get(name).map(|traffic| super::share(*traffic))
                && share != answer.share
            {
                answer = Answer { share, before: answer.share, number: answer.number + 1 };
                changed.insert(name.clone());
            }
            answers.servers.insert(name.clone(), answer);
        }
        if before.as_ref() != Some(&answers) {
            durable::replace(&file(records), &serde_json::to_vec(&answers)?)?;
        }
        Ok((answers, changed))
    }
}

fn file(records: &Path) -> std::path::PathBuf {
    records.join("answers.json")
}
