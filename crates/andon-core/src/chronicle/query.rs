//! What somebody looks for: words, all of which a deployment has to fit.
//!
//! | word | fits |
//! |---|---|
//! | `@ana` | deployments that somebody asked for whose name begins so, or whose commit somebody with such a name wrote |
//! | `ERROR`, `failed`, `ok`, `succeeded`, `rolled-back`, `aborted`, `cancelled`, `running` | those with such an outcome |
//! | `#128` | this one |
//! | `deploy`, `rollback` as `kind:deploy`, `kind:rollback` | those of the kind |
//! | `service:www`, `environment:production`, `host:web3`, `release:r-51bc07e2a944` | exactly these |
//! | the whole name of a service, an environment or a host | those of it, and no others |
//! | anything else | the beginning of a service, an environment, a release, a revision; or a part of the commit's subject, of why, or of the reason |
//!
//! Case does not matter. A host may be named without its domain. Which hosts a deployment had is known of those only that
//! were planned since this is recorded.

use std::collections::BTreeSet;

use super::Chronicle;
use super::outcome::Outcome;
use super::row::Row;
use crate::deployment::{DeploymentId, FleetId, Kind};
use crate::name::HostName;
use crate::scope::ScopeName;

/// Words beyond these are left out.
const MOST_WORDS: usize = 16;
/// Characters of a word beyond these are left out.
const LONGEST_WORD: usize = 200;

/// What somebody looks for. Any text is a query; an empty one fits everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Person(String),
    Outcomes(Vec<Outcome>),
    Number(DeploymentId),
    Kind(Kind),
    Service(String),
    Environment(String),
    Host(String),
    Release(String),
    Free(String),
}

impl Query {
    /// Reads a query. Nothing is wrong about any text.
    pub fn parse(text: &str) -> Self {
        let words = text.split_whitespace().take(MOST_WORDS);
        Self { words: words.map(|word| Word::parse(&shortened(word))).collect() }
    }

    /// Whether it fits everything.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Everything of one scope.
    pub fn of_scope(scope: &ScopeName) -> Self {
        let service = Word::Service(scope.service.as_str().to_lowercase());
        Self { words: vec![service, Word::Environment(scope.environment.as_str().to_lowercase())] }
    }

    /// Everything that one host was planned for.
    pub fn of_host(host: &HostName) -> Self {
        Self { words: vec![Word::Host(host.as_str().to_lowercase())] }
    }

    /// The query against what a chronicle knows: looked up once, then asked of each row.
    pub(super) fn resolve(&self, chronicle: &Chronicle) -> Resolved {
        let mut tests: Vec<Test> = self.words.iter().map(|word| Test::of(word, chronicle)).collect();
        // What costs little goes first: most rows are told by that.
        tests.sort_by_key(|test| {
            matches!(test, Test::Person(_)) as u8 + 2 * matches!(test, Test::Free { .. }) as u8
        });
        Resolved { tests }
    }
}

fn shortened(word: &str) -> String {
    word.chars().take(LONGEST_WORD).flat_map(char::to_lowercase).collect()
}

impl Word {
    /// `word` is in lower case.
    fn parse(word: &str) -> Self {
        if let Some(person) = word.strip_prefix('@').filter(|person| !person.is_empty()) {
            return Self::Person(person.to_owned());
        }
        if let Some(number) = word.strip_prefix('#').and_then(|number| number.parse().ok()) {
            return Self::Number(DeploymentId(number));
        }
        if let Some((key, value)) = word.split_once(':').filter(|(_, value)| !value.is_empty()) {
            let value = value.to_owned();
            match (key, value.as_str()) {
                ("by" | "person", _) => return Self::Person(value),
                ("service", _) => return Self::Service(value),
                ("environment", _) => return Self::Environment(value),
                ("host", _) => return Self::Host(value),
                ("release", _) => return Self::Release(value),
                ("kind", "deploy") => return Self::Kind(Kind::Deploy),
                ("kind", "rollback") => return Self::Kind(Kind::Rollback),
                ("is" | "outcome", _) => {
                    if let Some(outcomes) = outcomes(&value) {
                        return Self::Outcomes(outcomes);
                    }
                }
                _ => {}
            }
        }
        outcomes(word).map_or_else(|| Self::Free(word.to_owned()), Self::Outcomes)
    }
}

fn outcomes(word: &str) -> Option<Vec<Outcome>> {
    Some(match word {
        "error" | "errors" => Outcome::ALL.into_iter().filter(|outcome| outcome.is_error()).collect(),
        "failed" => vec![Outcome::Failed],
        "ok" | "succeeded" => vec![Outcome::Succeeded],
        "rolled-back" | "rolledback" | "rolled_back" => vec![Outcome::RolledBack],
        "aborted" => vec![Outcome::Aborted],
        "cancelled" | "refused" => vec![Outcome::Cancelled],
        "running" | "under-way" | "under_way" => vec![Outcome::UnderWay],
        "unknown" => vec![Outcome::Unknown],
        _ => return None,
    })
}

/// A query whose names were looked up.
#[derive(Debug)]
pub(super) struct Resolved {
    tests: Vec<Test>,
}

impl Resolved {
    pub(super) fn fits(&self, row: &Row) -> bool {
        self.tests.iter().all(|test| test.fits(row))
    }
}

#[derive(Debug)]
enum Test {
    Person(String),
    Outcomes(Vec<Outcome>),
    Number(DeploymentId),
    Kind(Kind),
    Scopes(BTreeSet<ScopeName>),
    Places { scopes: BTreeSet<ScopeName>, fleets: BTreeSet<FleetId> },
    Release(u64),
    Free { text: String, scopes: BTreeSet<ScopeName> },
    Nothing,
}

impl Test {
    fn of(word: &Word, chronicle: &Chronicle) -> Self {
        let scopes = |wanted: &dyn Fn(&ScopeName) -> bool| -> BTreeSet<ScopeName> {
            chronicle.scopes().filter(|scope| wanted(scope)).cloned().collect()
        };
        match word {
            Word::Person(name) => Self::Person(name.clone()),
            Word::Outcomes(outcomes) => Self::Outcomes(outcomes.clone()),
            Word::Number(id) => Self::Number(*id),
            Word::Kind(kind) => Self::Kind(*kind),
            Word::Service(name) => Self::Scopes(scopes(&|scope| same(scope.service.as_str(), name))),
            Word::Environment(name) => Self::Scopes(scopes(&|scope| same(scope.environment.as_str(), name))),
            Word::Host(name) => Self::Places { scopes: BTreeSet::new(), fleets: chronicle.fleets_with(name) },
            Word::Release(name) => match name.parse::<crate::release::ReleaseId>() {
                Ok(release) => Self::Release(release.number()),
                Err(_) => Self::Nothing,
            },
            Word::Free(text) => {
                let whole = scopes(&|scope| {
                    same(scope.service.as_str(), text) || same(scope.environment.as_str(), text)
                });
                let fleets = chronicle.fleets_with(text);
                if !whole.is_empty() || !fleets.is_empty() {
                    return Self::Places { scopes: whole, fleets };
                }
                let begun = scopes(&|scope| {
                    begins(scope.service.as_str(), text) || begins(scope.environment.as_str(), text)
                });
                Self::Free { text: text.clone(), scopes: begun }
            }
        }
    }

    fn fits(&self, row: &Row) -> bool {
        match self {
            Self::Person(name) => {
                begins(row.by(), name)
                    || row.revision().is_some_and(|revision| begins(&revision.author, name))
            }
            Self::Outcomes(outcomes) => outcomes.contains(&row.outcome()),
            Self::Number(id) => row.id() == *id,
            Self::Kind(kind) => row.kind() == *kind,
            Self::Scopes(scopes) => scopes.contains(row.scope()),
            Self::Places { scopes, fleets } => {
                scopes.contains(row.scope()) || row.fleet().is_some_and(|fleet| fleets.contains(&fleet))
            }
            Self::Release(number) => row.release_number() == *number,
            Self::Free { text, scopes } => {
                scopes.contains(row.scope())
                    || (text.starts_with("r-") && row.release().as_str().starts_with(text.as_str()))
                    || row.revision().is_some_and(|revision| {
                        begins(&revision.commit, text) || has(&revision.subject, text)
                    })
                    || row.why().is_some_and(|why| has(why, text))
                    || row.reason().is_some_and(|reason| has(reason, text))
            }
            Self::Nothing => false,
        }
    }
}

/// Whether a host is meant by a word in lower case: its name, with or without its domain.
pub(super) fn names_host(host: &HostName, word: &str) -> bool {
    let name = host.as_str();
    same(name, word) || (begins(name, word) && name.as_bytes().get(word.len()) == Some(&b'.'))
}

/// Names are ASCII: `word` is in lower case.
fn same(name: &str, word: &str) -> bool {
    name.eq_ignore_ascii_case(word)
}

/// Whether `text` begins with `word`, which is in lower case.
fn begins(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let part = text.as_bytes().get(..word.len());
        return part.is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()));
    }
    let mut letters = text.chars().flat_map(char::to_lowercase);
    word.chars().all(|letter| letters.next() == Some(letter))
}

/// Whether `word`, which is in lower case, is within `text`.
fn has(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        let Some(first) = word.first() else { return true };
        let either = [*first, first.to_ascii_uppercase()];
        return (0..=text.len().saturating_sub(word.len())).any(|at| {
            text.get(at).is_some_and(|letter| either.contains(letter))
                && text.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
        });
    }
    text.to_lowercase().contains(word)
}
