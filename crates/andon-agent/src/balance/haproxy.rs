//! HAProxy 2.6 and newer, through its runtime API: looks, sets what is not as wished, and looks again.
//!
//! A server that somebody has put into maintenance is reported, and left alone. What HAProxy knows only at run time is
//! gone after a reload: the next call sees it and sets it again.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::balance::{BalancerFailure, FailureKind, Pool, PoolSight, Wishes};
use andon_core::line::HaproxyApi;
use andon_core::name::ServerName;
use andon_core::suggest::nearest;

use super::failure;
use api::Api;
use server::Server;

mod api;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod server;
mod table;

/// The longest line of commands, in bytes. HAProxy's own buffer has 16 KiB by default.
const LINE: usize = 8 * 1024;

/// See [`super::balance`].
pub(super) fn balance(
    pool: &Pool,
    api: &HaproxyApi,
    backend: &str,
    wishes: &Wishes,
) -> Result<PoolSight, BalancerFailure> {
    let mut backend = Backend { api: Api::new(api), name: name(backend)? };
    let servers = backend.servers()?;
    for server in &pool.servers {
        known(&servers, &server.name, backend.name)?;
    }
    let mut changes = Vec::new();
    for (name, traffic) in wishes {
        let server = known(&servers, name, backend.name)?;
        let commands = server.commands(backend.name, *traffic);
        if !commands.is_empty() {
            changes.push((name, commands));
        }
    }
    backend.set(changes.iter().flat_map(|(_, commands)| commands))?;
    let servers = if changes.is_empty() { servers } else { backend.servers()? };
    Ok(PoolSight {
        servers: servers.iter().map(|(name, server)| (name.clone(), server.sight())).collect(),
        changed: changes.into_iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(),
    })
}

/// One backend of one HAProxy.
struct Backend<'a> {
    api: Api<'a>,
    name: &'a str,
}

impl Backend<'_> {
    /// All servers whose names Andon could have given.
    fn servers(&mut self) -> Result<BTreeMap<ServerName, Server>, BalancerFailure> {
        let states = self.api.ask(&format!("show servers state {}", self.name))?;
        let Some(states) = table::states(&states) else { return Err(self.refusal(&states)) };
        // By its number: a frontend may have the same name.
        let Some(id) = states.first().and_then(|state| state.get("be_id")) else {
            let reason = format!("HAProxy's backend {} has no servers", self.name);
            return Err(failure(FailureKind::Missing, reason));
        };
        let statistics = self.api.ask(&format!("show stat {id} 4 -1"))?;
        let Some(statistics) = table::statistics(&statistics) else { return Err(self.refusal(&statistics)) };
        let of_name: BTreeMap<&str, _> =
            statistics.iter().filter_map(|row| Some((row.get("svname")?, row))).collect();
        let servers = states.iter().filter_map(|state| {
            let name = state.get("srv_name")?;
            Some((ServerName::new(name).ok()?, Server::of(state, of_name.get(name)?)))
        });
        Ok(servers.collect())
    }

    /// Carries out `commands`, as many at a time as fit into a line.
    fn set<'c>(&mut self, commands: impl Iterator<Item = &'c String>) -> Result<(), BalancerFailure> {
        let mut lines: Vec<String> = Vec::new();
        for command in commands {
            match lines.last_mut() {
                Some(line) if line.len() + command.len() < LINE => {
                    line.push(';');
                    line.push_str(command);
                }
                _ => lines.push(command.clone()),
            }
        }
        for line in lines {
            let answer = self.api.ask(&line)?;
            // Whatever was done is answered by an empty line.
            if !answer.trim().is_empty() {
                return Err(self.refusal(&answer));
            }
        }
        Ok(())
    }

    /// What HAProxy means by an answer that is not the one that was asked for.
    fn refusal(&mut self, answer: &str) -> BalancerFailure {
        let place = self.api.place();
        let (kind, reason) = if answer.contains("Permission denied") {
            let reason = format!(
                "HAProxy's runtime API at {place} may not change servers: add `level admin` to its `stats socket`"
            );
            (FailureKind::Refused, reason)
        } else if answer.contains("Can't find backend") || answer.contains("No such backend") {
            (FailureKind::Missing, self.no_backend())
        } else if answer.contains("show proc ") || answer.contains("@master") {
            // What only a master offers instead of a command that it does not know.
            let reason = format!(
                "{place} is the socket of HAProxy's master process, which knows no servers: name that of a \
                 `stats socket`"
            );
            (FailureKind::Unreachable, reason)
        } else if answer.contains("static LB algorithm") {
            let reason = format!(
                "HAProxy's backend {} balances by a static algorithm, which knows no weights: choose a dynamic one \
                 such as `balance roundrobin`, or do without weights",
                self.name
            );
            (FailureKind::Refused, reason)
        } else {
            let reason = format!("what answers at {place} does not speak as HAProxy's runtime API does");
            (FailureKind::Unreachable, reason)
        };
        BalancerFailure { kind, reason, details: crate::probe::legible_lines(answer.as_bytes(), 4096) }
    }

    fn no_backend(&mut self) -> String {
        let named = self.api.ask("show backend").unwrap_or_default();
        let backends = named.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        format!("HAProxy knows no backend {}{}", self.name, hint(self.name, backends))
    }
}

/// The server of that name.
fn known<'s>(
    servers: &'s BTreeMap<ServerName, Server>,
    name: &ServerName,
    backend: &str,
) -> Result<&'s Server, BalancerFailure> {
    servers.get(name).ok_or_else(|| {
        let hint = hint(name.as_str(), servers.keys().map(ServerName::as_str));
        failure(FailureKind::Missing, format!("HAProxy's backend {backend} has no server {name}{hint}"))
    })
}

/// The end of a sentence about a name that is not known: the one that may be meant, or some that there are.
fn hint<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.filter(|name| ServerName::new(*name).is_ok()).collect();
    match (nearest(wrong, candidates.iter().copied()), candidates.as_slice()) {
        (Some(near), _) => format!("; is {near} meant?"),
        (None, []) => String::new(),
        (None, some) if some.len() <= 5 => format!("; it has {}", some.join(", ")),
        (None, some) => format!("; it has {} and {} more", some[..5].join(", "), some.len() - 5),
    }
}

/// `backend`, when HAProxy could have such a name: it becomes part of commands.
fn name(backend: &str) -> Result<&str, BalancerFailure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !backend.is_empty() && backend.len() <= 1024 && backend.chars().all(fits) {
        return Ok(backend);
    }
    let reason = format!("{backend:?} is not the name of an HAProxy backend: letters, digits and `-_.:`");
    Err(failure(FailureKind::Missing, reason))
}
