//! nginx, open source, through an included file with the servers of an upstream.
//!
//! All wishes of a call become one new file, tested by nginx itself, and one reload, which has happened when other
//! workers accept connections. A file that somebody else has changed is shown and never overwritten.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, ServerSight, ServerState, Wishes};
use andon_core::line::BalancerKind;
use andon_core::name::ServerName;

use super::failure;
use include::{Include, Line};
use log::Tally;
use master::{Master, MasterError};
use place::{Found, Place};
use program::{Program, ProgramError};
use records::Records;
use survey::{Question, Survey};

mod connections;
mod diff;
mod dump;
#[cfg(test)]
mod fixture;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod include;
mod log;
mod master;
mod place;
mod program;
mod records;
mod survey;

/// See [`super::balance`]. `records` is a directory for what must be remembered of this pool.
pub(super) fn balance(pool: &Pool, wishes: &Wishes, records: &Path) -> Result<PoolSight, BalancerFailure> {
    let BalancerKind::Nginx { upstream, include, program, access_log, log_format } = &pool.balancer else {
        return Err(failure(FailureKind::Missing, format!("{} is no nginx", pool.name())));
    };
    let question =
        Question { program: program.clone(), access_log: access_log.clone(), log_format: log_format.clone() };
    let records = Records::in_directory(records);
    let nginx = Nginx { pool, upstream, place: Place::new(include, &records), records: &records, question };
    nginx.balance(wishes)
}

struct Nginx<'a> {
    pool: &'a Pool,
    upstream: &'a str,
    place: Place<'a>,
    records: &'a Records,
    question: Question,
}

impl Nginx<'_> {
    fn balance(&self, wishes: &Wishes) -> Result<PoolSight, BalancerFailure> {
        let found = self.place.find(self.pool, self.upstream)?;
        let loaded = self.records.loaded();
        let seen = loaded.as_ref().and_then(|text| Include::parse(text, self.pool).ok());
        let seen = seen.as_ref().or(found.include.as_ref());
        let wanted = Include::wanted(found.include.as_ref(), self.pool, wishes)
            .map_err(|why| failure(FailureKind::Invalid, format!("the servers cannot be written: {why}")))?;
        let text = wanted.render(self.upstream);
        if wishes.is_empty() {
            let seen = seen.ok_or_else(|| self.place.nothing_yet(self.upstream, &text))?;
            return self.look(seen, &self.survey(seen)?);
        }
        if found.text.as_ref() == Some(&text) && loaded.as_ref() == Some(&text) {
            let survey = self.survey(&wanted)?;
            if survey.has_loaded {
                return self.look(&wanted, &survey);
            }
        }
        let changed = wanted.differences(seen).filter(|name| wishes.contains_key(*name)).cloned().collect();
        let survey = self.load(&found, loaded, &text, &wanted)?;
        Ok(PoolSight { changed, ..self.look(&wanted, &survey)? })
    }

    /// Writes the file, has it tested and loaded, and sees that it was.
    fn load(
        &self,
        found: &Found,
        loaded: Option<String>,
        text: &str,
        wanted: &Include,
    ) -> Result<Survey, BalancerFailure> {
        let program = Program(&self.question.program);
        // Where nginx does not run, nothing is changed that it would find at its next start; except that it may need
        // a first file to start at all.
        if let (Some(survey), Some(_)) = (self.records.survey(), &found.text) {
            Master::of(&survey.pid_file).map_err(absent)?;
        }
        let former = self.place.former(found, loaded);
        self.place.write(text)?;
        if let Err(error) = program.test() {
            self.place.put_back(former.as_deref())?;
            // Only a former file can tell whose mistake it is.
            let before = former.and_then(|_| program.test().err());
            let whose = if before.is_some() { Whose::Theirs } else { Whose::Ours };
            return Err(refused(before.as_ref().unwrap_or(&error), whose));
        }
        let survey = Survey::take(self.question.clone(), wanted);
        let mut survey = survey.map_err(|error| refused(&error, Whose::Nobodys))?;
        let master = Master::of(&survey.pid_file).map_err(absent)?;
        let workers = master.workers();
        program.reload().map_err(|error| refused(&error, Whose::Nobodys))?;
        master.await_others(&workers).map_err(absent)?;
        self.records.set_loaded(text)?;
        (survey.generation, survey.has_loaded) = (master.generation(), true);
        self.records.set_survey(&survey)?;
        Ok(survey)
    }

    /// What is known about the nginx that runs now: asked anew after each reload, whoever made it.
    fn survey(&self, seen: &Include) -> Result<Survey, BalancerFailure> {
        let known = self.records.survey().filter(|survey| survey.question == self.question);
        if let Some(known) = &known
            && Master::of(&known.pid_file).map_err(absent)?.generation() == known.generation
        {
            return Ok(known.clone());
        }
        let had_loaded = known.as_ref().is_some_and(|known| known.has_loaded);
        let mut fresh = match (Survey::take(self.question.clone(), seen), known) {
            (Ok(fresh), _) => fresh,
            // Files that cannot be loaded say nothing about what was.
            (Err(_), Some(known)) => known,
            (Err(error), None) => return Err(refused(&error, Whose::Theirs)),
        };
        let master = Master::of(&fresh.pid_file).map_err(absent)?;
        // Somebody has reloaded, perhaps another file than stands there now.
        fresh.has_loaded = had_loaded && master.is_younger_than(self.place.changed_at());
        fresh.generation = master.generation();
        self.records.set_survey(&fresh)?;
        Ok(fresh)
    }

    /// What is seen, where nginx has loaded `seen`.
    fn look(&self, seen: &Include, survey: &Survey) -> Result<PoolSight, BalancerFailure> {
        let master = Master::of(&survey.pid_file).map_err(absent)?;
        let addresses = |line: &Line| survey.addresses(&line.place);
        let by_line: Vec<(&Line, BTreeSet<SocketAddr>)> =
            seen.lines.iter().map(|line| (line, addresses(line))).collect();
        let all = by_line.iter().flat_map(|(_, addresses)| addresses).copied().collect();
        let connections = connections::count(master, &all);
        let names = by_line
            .iter()
            .flat_map(|(line, addresses)| addresses.iter().map(|address| (*address, line.name.clone())));
        let tally = self.tally(survey, &names.collect())?;
        let sight = |(line, addresses): &(&Line, BTreeSet<SocketAddr>)| {
            let sessions = |counts: &BTreeMap<SocketAddr, u64>| {
                addresses.iter().filter_map(|address| counts.get(address)).sum()
            };
            let sight = ServerSight {
                state: if line.down { ServerState::Out } else { ServerState::Up },
                weight: u8::try_from(line.weight).unwrap_or(100),
                sessions: connections.as_ref().map(sessions),
                // nginx never lets a request wait for one server.
                queued: 0,
                counters: tally.as_ref().map(|tally| tally.get(&line.name).cloned().unwrap_or_default()),
            };
            (line.name.clone(), sight)
        };
        Ok(PoolSight { servers: by_line.iter().map(sight).collect(), changed: BTreeSet::new() })
    }

    /// What the access log has said until now. `None` without a log that can be read and tells servers apart: traffic
    /// is moved nevertheless.
    fn tally(
        &self,
        survey: &Survey,
        names: &BTreeMap<SocketAddr, ServerName>,
    ) -> Result<Option<Tally>, BalancerFailure> {
        let (Some(path), Some(format)) = (&self.question.access_log, &survey.format) else { return Ok(None) };
        let before = self.records.ledger();
        let mut ledger = before.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if ledger.read_on(path, now, format, names).is_err() {
            return Ok(None);
        }
        if ledger != before {
            self.records.set_ledger(&ledger)?;
        }
        Ok(Some(ledger.tally))
    }
}

fn absent(error: MasterError) -> BalancerFailure {
    let kind = match error {
        MasterError::Absent(_) => FailureKind::Unreachable,
        MasterError::Unmoved => FailureKind::Invalid,
    };
    failure(kind, error.to_string())
}

/// Whose mistake it is that nginx does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The new file's, which was taken away again.
    Ours,
    /// That of another file: it is so without ours, too.
    Theirs,
    /// All files are valid, and the new one is in its place.
    Nobodys,
}

fn refused(error: &ProgramError, whose: Whose) -> BalancerFailure {
    let (said, gist) = (error.said(), error.gist());
    let is_forbidden = !said.contains("nginx:") || said.contains("13: Permission denied");
    let (kind, reason) = match (error, whose) {
        (ProgramError::Nothing | ProgramError::Start { .. }, _) => {
            (FailureKind::Unreachable, error.to_string())
        }
        (ProgramError::Failed { .. }, _) if is_forbidden => {
            let hint = "give the agent's user the right to run it, for example by sudo, and name the words \
                        that run it as `program`";
            (FailureKind::Refused, format!("{error}: {gist}; {hint}"))
        }
        (ProgramError::Failed { .. }, Whose::Theirs) => {
            let hint = "that is so without Andon's file, too: mend it, then `nginx -t` succeeds";
            (FailureKind::Invalid, format!("nginx's configuration is not valid: {gist}; {hint}"))
        }
        (ProgramError::Failed { .. }, Whose::Ours) => {
            let hint = "the former file is in its place again, and nothing was loaded";
            (FailureKind::Invalid, format!("nginx refuses its servers: {gist}; {hint}"))
        }
        (ProgramError::Failed { .. }, Whose::Nobodys) => {
            let hint = "the new file is in its place and not loaded yet; it is tried again";
            (FailureKind::Invalid, format!("{error}: {gist}; {hint}"))
        }
    };
    BalancerFailure { kind, reason, details: said.to_owned() }
}
