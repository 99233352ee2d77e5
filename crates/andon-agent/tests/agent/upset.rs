//! A release on its way to a host that is upset in the middle: what the host answers afterwards is checked against
//! what it said before and against its disk, and the rest is ordered again by the controller's rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_api::agent::{FromHost, Order, Subject, ToHost};
use andon_core::host::{HostFacts, Outcome, Stage, TokenStatus};
use andon_core::line::{Health, Probe, ProductionTest, Supervision, Template};
use andon_core::release::Release;

use super::driver::{Session, until};
use super::service::{SUCCEEDED, Site, authority};

/// What the service runs: it says that it was started, and stays.
const SERVE: &str = "echo started >> \"${0%/serve}/../../shared/starts-$ANDON_RELEASE\"\nexec sleep 1000\n";

/// A site whose service is a shell script, quick to start and quick to end.
pub(crate) fn plain_site() -> Site {
    let mut site = Site::new();
    let command = ["sh", "{release}/serve"].map(|word| Template::new(word).unwrap()).to_vec();
    let placement = &mut site.placement;
    placement.run.by = Supervision::Own { command };
    placement.run.ports.clear();
    placement.instances = placement.run.instances(0);
    let probe = Probe::Script {
        name: "up".to_owned(),
        content: "#!/bin/sh\nexit 0\n".to_owned(),
        args: vec![],
        secrets: Default::default(),
    };
    let (interval, timeout) = (Duration::from_millis(20), Duration::from_secs(5));
    placement.health = Some(Health { probe, interval, timeout, in_a_row: 1 });
    placement.tests = Vec::<ProductionTest>::new();
    site
}

/// A release on its way: the bytes, and the orders that bring it to the host and run it.
pub(crate) struct Passage {
    bytes: Vec<u8>,
    release: Release,
    orders: Vec<Order>,
    /// What the host acknowledged for each order: nothing, that it was accepted, or its end.
    heard: Vec<Option<Option<TokenStatus>>>,
}

impl Passage {
    pub(crate) fn of(site: &Site, version: &str) -> Self {
        let content = site.dir.path().join(format!("content-{version}"));
        fs::create_dir_all(content.join("pages/deep")).unwrap();
        for (name, text) in [("serve", SERVE), ("VERSION", version), ("pages/deep/index", version)] {
            fs::write(content.join(name), text).unwrap();
        }
        let (bytes, release) = site.packed(&content);
        let orders = vec![site.prepare(&release), site.activate(&release), site.verify(&release)];
        Self { bytes, release, heard: vec![None; orders.len()], orders }
    }

    /// Another order to prepare it.
    pub(crate) fn prepare(&self, site: &Site) -> Order {
        site.prepare(&self.release)
    }

    /// Gives the orders one after another, until all have ended or the host does not go on.
    pub(crate) fn give(&mut self, session: &mut Session) {
        let place = self.orders[0].placement.clone();
        if session.try_upload(&place, &authority(1), &self.bytes).is_none() {
            return;
        }
        for (order, heard) in self.orders.iter().zip(&mut self.heard) {
            *heard = heard_of(session, order);
            if *heard != Some(Some(SUCCEEDED)) {
                return;
            }
        }
    }

    /// Whether every step has ended well.
    pub(crate) fn is_over(&self) -> bool {
        self.heard.iter().all(|heard| *heard == Some(Some(SUCCEEDED)))
    }

    /// Asks the host about every step until none is at work, and holds the answers against what was acknowledged and
    /// against the disk. `root` is where the service's root is to be seen.
    pub(crate) fn check(&self, session: &mut Session, root: &Path, what: &str) -> HostFacts {
        let tokens: Vec<_> = self.orders.iter().map(|order| &order.token).collect();
        let placement = &self.orders[0].placement;
        let mut facts = session.probe(placement, &tokens);
        until("no step is at work", || {
            facts = session.probe(placement, &tokens);
            facts.tokens.values().all(|status| *status != TokenStatus::Running)
        });
        for (order, heard) in self.orders.iter().zip(&self.heard) {
            let (token, status) = (&order.token, &facts.tokens[&order.token]);
            match heard {
                None => {}
                Some(None) => assert_ne!(*status, TokenStatus::NeverStarted, "{what}: {token} was accepted"),
                Some(Some(ended)) => assert_eq!(status, ended, "{what}: {token} ended, the host said"),
            }
        }
        self.check_disk(&facts, root, what);
        facts
    }

    /// No release is half installed, `current` points at a whole one, and the marker agrees with both.
    fn check_disk(&self, facts: &HostFacts, root: &Path, what: &str) {
        let new = &self.release.id;
        let status = |stage| {
            let order = self.orders.iter().find(|order| order.step.stage() == stage).unwrap();
            facts.tokens[&order.token].clone()
        };
        for entry in fs::read_dir(root.join("releases")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with('.') {
                assert!(
                    facts.releases.iter().any(|id| id.as_str() == name),
                    "{what}: {name} is not vouched for"
                );
                is_whole(&entry.path(), what);
            }
        }
        match status(Stage::Prepare) {
            SUCCEEDED => assert!(facts.releases.contains(new), "{what}: it was prepared and is not there"),
            TokenStatus::NeverStarted => assert!(!facts.releases.contains(new), "{what}: nobody prepared it"),
            _ => {}
        }
        let current = facts.current.as_ref().unwrap_or_else(|| panic!("{what}: current points nowhere"));
        assert!(facts.releases.contains(current), "{what}: current points at {current}, which is not whole");
        let marker = facts.marker.as_ref().unwrap_or_else(|| panic!("{what}: there is no marker"));
        match status(Stage::Activate) {
            SUCCEEDED => {
                assert!(current == new && marker.release == *new && marker.complete, "{what}: {marker:?}")
            }
            TokenStatus::NeverStarted => {
                assert!(current != new && marker.release != *new, "{what}: {marker:?}")
            }
            // The marker goes first: it names the new release whenever `current` does.
            _ => assert!(current != new || marker.release == *new, "{what}: {current} {marker:?}"),
        }
        assert!(marker.release == *new || marker.complete, "{what}: {marker:?}");
    }

    /// Orders what is missing, as the core does after a loss, until the release runs and is verified. After a boot of
    /// the host nothing of ours runs there, so the release is activated once more.
    pub(crate) fn finish(&self, site: &Site, session: &mut Session, root: &Path, booted: bool, what: &str) {
        let mut activations = 0;
        for (order, heard) in self.orders.iter().zip(&self.heard) {
            let facts = session.probe(&order.placement, &[&order.token]);
            let mut order = order.clone();
            activations += usize::from(heard.is_some() && order.step.stage() == Stage::Activate);
            match facts.tokens[&order.token].clone() {
                SUCCEEDED if booted && order.step.stage() != Stage::Prepare => {
                    order = site.order(order.step.clone());
                }
                SUCCEEDED => continue,
                TokenStatus::NeverStarted => {}
                TokenStatus::Interrupted | TokenStatus::Finished(Outcome::Failed { .. }) => {
                    order = site.order(order.step.clone());
                }
                other => panic!("{what}: {other:?}"),
            }
            match order.step.stage() {
                Stage::Prepare => {
                    assert!(session.try_upload(&order.placement, &authority(1), &self.bytes).is_some())
                }
                Stage::Activate => activations += 1,
                _ => {}
            }
            let seen = session.carry_out(&order).unwrap();
            assert_eq!(seen.status, SUCCEEDED, "{what}: {}", String::from_utf8_lossy(&seen.output));
        }
        let facts = session.probe(&self.orders[0].placement, &[]);
        assert_eq!(facts.current.as_ref(), Some(&self.release.id), "{what}");
        assert!(facts.serves() && facts.uniform_release() == Some(&self.release.id), "{what}: {facts:?}");
        // The program may be started, and not have said so yet.
        let trace = root.join("shared").join(format!("starts-{}", self.release.id));
        until("the program says that it was started", || trace.exists());
        let starts = fs::read_to_string(trace).unwrap();
        let starts = starts.lines().count();
        assert!(
            (1..=activations.max(1)).contains(&starts),
            "{what}: {starts} starts, {activations} activations"
        );
    }
}

/// What the host acknowledges of an order: nothing, that it was accepted, or also its end.
fn heard_of(session: &mut Session, order: &Order) -> Option<Option<TokenStatus>> {
    let start = ToHost::Start { order: Box::new(order.clone()), from: 0, secrets: Default::default() };
    let mut heard = None;
    if !session.try_send(&start) {
        return heard;
    }
    while let Some(message) = session.next() {
        match message {
            FromHost::Accepted { .. } => heard = Some(None),
            // What is neither begun nor over is no word that could be broken.
            FromHost::Ended { status: TokenStatus::Finished(outcome), .. } => {
                return Some(Some(TokenStatus::Finished(outcome)));
            }
            FromHost::Ended { .. } | FromHost::Refused { what: Subject::Order(_), .. } => return heard,
            _ => {}
        }
    }
    heard
}

/// Whether a release has every file with every byte.
fn is_whole(release: &Path, what: &str) {
    let version = fs::read_to_string(release.join("VERSION")).unwrap_or_default();
    let deep = fs::read_to_string(release.join("pages/deep/index")).unwrap_or_default();
    let serve = fs::read_to_string(release.join("serve")).unwrap_or_default();
    let whole = !version.is_empty() && deep == version && serve == SERVE;
    assert!(whole, "{what}: {} is half installed", release.display());
}

/// Events with names that differ from one release or step to the next, as patterns that match all of their kind; each
/// with its number among those that are alike.
pub(crate) fn alike(events: &[String], root: &Path) -> Vec<(String, u64)> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let named = events.iter().map(|event| {
        let (kind, path) = event.split_once(' ').unwrap();
        let below = path.strip_prefix(root.to_str().unwrap()).unwrap();
        let parts: Vec<String> = below.split('/').map(passing).collect();
        let pattern = format!("{kind} {}{}", root.display(), parts.join("/"));
        let number = seen.entry(pattern.clone()).and_modify(|number| *number += 1).or_insert(1);
        (pattern, *number)
    });
    named.collect()
}

/// A part of a path in which the names of releases, digests and attempts have become `*`.
fn passing(part: &str) -> String {
    let digits = |text: &str| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match part.rsplit_once(['.', '-']) {
        Some((before, attempt)) if digits(attempt) || attempt.parse::<u32>().is_ok() => {
            format!("{}*", &part[..before.len() + 1])
        }
        _ if digits(part) => "*".to_owned(),
        // Names on their way: `.r-0123456789ab.andon-new`.
        Some((before, "new")) if before.ends_with(".andon") && before.starts_with(".r-") => {
            ".r-*.andon-new".to_owned()
        }
        _ => part.to_owned(),
    }
}
