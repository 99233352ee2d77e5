//! Two years of deployments, written after patterns, in batches of the ledger.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{DeploymentId, FleetId, Kind, Summary};
use andon_core::digest::Digest;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::{Scope, ScopeFact, ScopeName};
use andon_core::time::Time;
use andon_server::clock;
use andon_store::{Batch, MAX_BATCH_ITEMS, StreamAppend, ViewUpdate};
use serde_json::{Value, json};

use crate::pattern::{HOST, Pattern, Patterns};
use crate::town;

const YEARS: Duration = Duration::from_secs(2 * 365 * 86_400);
/// The newest ones, which have all of their facts.
const WHOLE: u64 = 300;
/// Every so many releases is bad.
const BAD: u64 = 20;
/// Every so many is a way back.
const BACK: u64 = 37;
/// Deployments of one batch; each leaves two or three facts in its scope, and a row.
const AT_ONCE: u64 = 4_000;
/// The same where they leave all of their facts.
const AT_ONCE_WHOLE: u64 = 50;

/// A scope as it stands.
struct Place {
    name: ScopeName,
    hosts: Arc<[String]>,
    fleet: FleetId,
    scope: Scope,
    seq: u64,
    newest: Option<ReleaseId>,
    /// Deployments so far.
    had: u64,
}

/// All of it.
pub(crate) struct Past {
    patterns: Patterns,
    places: Vec<Place>,
    began: Time,
    next: u64,
    count: u64,
}

impl Past {
    pub(crate) fn new(patterns: Patterns, count: u64) -> Result<Self, Box<dyn Error>> {
        let mut places = Vec::new();
        for number in 0..town::SERVICES {
            let mut first = 0;
            for (environment, hosts) in town::HOSTS {
                let hosts = (first..first + hosts).map(|place| town::host(number, place)).collect::<Vec<_>>();
                first += hosts.len();
                places.push(Place::new(&town::service(number), environment, hosts)?);
            }
        }
        places.push(Place::new(town::EVERYWHERE, "production", town::all_hosts())?);
        let began = Time(clock::now().0 - i64::try_from(YEARS.as_millis())?);
        Ok(Self { patterns, places, began, next: 1, count })
    }

    /// The next batch, in the order of time. The first one has the sets of hosts.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, Box<dyn Error>> {
        if self.next > self.count {
            return Ok(None);
        }
        let whole = self.count.saturating_sub(WHOLE) + 1;
        let until = match self.next {
            next if next >= whole => (next + AT_ONCE_WHOLE).min(self.count + 1),
            next => (next + AT_ONCE).min(whole),
        };
        // The newest deployment of all is the one on every host.
        let until = if until == self.count + 1 && self.next < self.count { self.count } else { until };
        let mut batch =
            Batch { at: self.at(self.next), by: "ana".into(), appends: Vec::new(), views: Vec::new() };
        if self.next == 1 {
            for place in &self.places {
                let body = json!(*place.hosts);
                let key = place.fleet.to_string();
                batch.views.push(ViewUpdate { view: "fleet".into(), key, rank: 0, body });
            }
        }
        let mut of_scopes: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
        for id in self.next..until {
            self.deployment(id, id >= whole, &mut batch, &mut of_scopes)?;
        }
        for (at, facts) in of_scopes {
            let place = &mut self.places[at];
            let expected = place.seq;
            place.seq += facts.len() as u64;
            let body = json!({ "seq": place.seq, "name": place.name, "scope": place.scope });
            let key = place.name.stream();
            batch.views.push(ViewUpdate { view: "scope".into(), key: key.clone(), rank: batch.at.0, body });
            batch.appends.push(StreamAppend { stream: key, expected, facts });
        }
        let items = batch.appends.iter().map(|append| append.facts.len()).sum::<usize>() + batch.views.len();
        assert!(items <= MAX_BATCH_ITEMS, "{items} items are too many for one batch");
        self.next = until;
        Ok(Some(batch))
    }

    fn at(&self, id: u64) -> Time {
        self.began + YEARS.mul_f64(id as f64 / (self.count + 1) as f64)
    }

    /// What one deployment leaves.
    fn deployment(
        &mut self,
        id: u64,
        whole: bool,
        batch: &mut Batch,
        of_scopes: &mut BTreeMap<usize, Vec<Value>>,
    ) -> Result<(), Box<dyn Error>> {
        let at = self.at(id);
        let last = self.places.len() - 1;
        let number = if id == self.count { last } else { usize::try_from(id.wrapping_mul(7919))? % last };
        let place = &mut self.places[number];
        let is_bad = id.is_multiple_of(BAD) && place.hosts.len() > 2 && number != last;
        let pattern = match (is_bad, place.hosts.len()) {
            _ if number == last => &self.patterns.everywhere,
            (true, _) => &self.patterns.put_back,
            (false, 2) => &self.patterns.staging,
            (false, _) => &self.patterns.production,
        };
        let own = Own::new(pattern, id, place, at)?;
        if whole {
            let facts = pattern.facts.iter().map(|fact| serde_json::from_str(&own.words(fact)));
            let facts = facts.collect::<Result<_, _>>()?;
            batch.appends.push(StreamAppend { stream: DeploymentId(id).stream(), expected: 0, facts });
        }
        for fact in &pattern.scope {
            let value: Value = serde_json::from_str(&own.words(fact))?;
            place.scope.apply(at, &serde_json::from_value::<ScopeFact>(value.clone())?);
            of_scopes.entry(number).or_default().push(value);
        }
        let summary = own.summary(pattern, place);
        place.had += 1;
        if !is_bad {
            place.newest = Some(summary.release.clone());
        }
        let body = serde_json::to_value(&summary)?;
        let rank = i64::try_from(id)?;
        batch.views.push(ViewUpdate { view: "deployment".into(), key: id.to_string(), rank, body });
        Ok(())
    }
}

impl Place {
    fn new(service: &str, environment: &str, hosts: Vec<String>) -> Result<Self, Box<dyn Error>> {
        let names = hosts.iter().map(HostName::new).collect::<Result<std::collections::BTreeSet<_>, _>>()?;
        let name = ScopeName {
            service: ServiceName::new(service)?,
            environment: EnvironmentName::new(environment)?,
        };
        let fleet = FleetId::of(&names);
        Ok(Self { name, hosts: hosts.into(), fleet, scope: Scope::default(), seq: 0, newest: None, had: 0 })
    }
}

/// What is a deployment's own, in place of what the pattern says.
struct Own {
    id: u64,
    at: Time,
    words: Vec<(String, String)>,
    hosts: Arc<[String]>,
    release: ReleaseId,
    revision: Revision,
    by: &'static str,
    kind: Kind,
}

impl Own {
    fn new(pattern: &Pattern, id: u64, place: &Place, at: Time) -> Result<Self, Box<dyn Error>> {
        let service = place.name.service.as_str();
        let kind = if id.is_multiple_of(BACK) && place.had > 1 { Kind::Rollback } else { Kind::Deploy };
        // What staging had, production gets later on.
        let number = if kind == Kind::Rollback { place.had - 1 } else { place.had };
        let digest = Digest::of(format!("{service} {number}").as_bytes());
        let (text, old) = (digest.to_string(), pattern.release.digest.to_string());
        let by = town::person(id);
        let revision = Revision {
            commit: text[..7].to_owned(),
            subject: town::subject(service, number),
            author: town::person(number).to_owned(),
            email: Some(format!("{}@example.com", town::person(number))),
            at: Time(at.0 - 3_600_000),
        };
        let words = vec![
            (old.clone(), text.clone()),
            (old[..12].to_owned(), text[..12].to_owned()),
            ("\"d1.f".to_owned(), format!("\"d{id}.f")),
            ("\"deployment\":1".to_owned(), format!("\"deployment\":{id}")),
            ("\"service\":\"www\"".to_owned(), format!("\"service\":\"{service}\"")),
            (
                "\"environment\":\"production\"".to_owned(),
                format!("\"environment\":\"{}\"", place.name.environment),
            ),
            ("\"revision\":null".to_owned(), format!("\"revision\":{}", serde_json::to_string(&revision)?)),
            ("\"name\":\"ana\"".to_owned(), format!("\"name\":\"{by}\"")),
        ];
        let release = ReleaseId::of(&digest);
        Ok(Self { id, at, words, hosts: Arc::clone(&place.hosts), release, revision, by, kind })
    }

    /// A fact of the pattern in words of its own.
    fn words(&self, fact: &str) -> String {
        let mut text = fact.to_owned();
        for (old, new) in &self.words {
            if text.contains(old.as_str()) {
                text = text.replace(old.as_str(), new);
            }
        }
        // A thousand hosts are found in one go.
        let mut pieces = text.split(HOST);
        let mut whole = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let place = piece.get(..4).and_then(|digits| digits.parse::<usize>().ok());
            match place.and_then(|place| self.hosts.get(place)) {
                Some(host) => {
                    whole += host;
                    whole += piece[4..].strip_prefix(".example.com").unwrap_or_default();
                }
                None => {
                    whole += HOST;
                    whole += piece;
                }
            }
        }
        whole
    }

    fn summary(&self, pattern: &Pattern, place: &Place) -> Summary {
        let ended = self.at + Duration::from_secs(290 + self.id % 600);
        let mut course = pattern.summary.course;
        course.fleet = Some(place.fleet);
        course.everywhere = course.everywhere.map(|_| ended);
        course.trouble = course.trouble.map(|_| self.at + Duration::from_secs(90));
        let reason = pattern.summary.reason.as_ref().map(|reason| self.words(reason));
        Summary {
            id: DeploymentId(self.id),
            scope: place.name.clone(),
            kind: self.kind,
            release: self.release.clone(),
            from: place.newest.clone(),
            revision: Some(self.revision.clone()),
            by: self.by.to_owned(),
            reason,
            accepted: self.at,
            started: Some(self.at + Duration::from_secs(2)),
            ended: Some(ended),
            course,
            ..pattern.summary.clone()
        }
    }
}
