//! For tests: a deployment of a plan, in whatever state a page has to show.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use andon_core::access::{Grant, Role, Visitor};
use andon_core::deployment::{
    Deployment, DeploymentId, Doing, Fact, Failure, HostState, Kind, Request, State, Way,
};
use andon_core::digest::Digest;
use andon_core::host::{Stage, Token};
use andon_core::line::{Host, ReleaseSource, Rollout, Run, Service, Supervision, Template, Transport};
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::person::Person;
use andon_core::plan::{Before, OnFailure, Plan, PlannedHost};
use andon_core::quantity::ByteSize;
use andon_core::release::{Packing, Release, ReleaseId, Revision};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use jiff::tz::TimeZone;
use maud::Markup;

use crate::frame::Frame;

/// What nobody may be able to do to a page.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script> \" onload=x ' \u{1b}[31m&";

/// 18 November 2026, noon in UTC.
pub(crate) const NOON: Time = Time(1_795_003_200_000);

pub(crate) fn at(seconds: i64) -> Time {
    Time(NOON.0 + seconds * 1000)
}

/// A page for ana, who may do everything.
pub(crate) fn frame(seconds: i64) -> Frame {
    let grants = [Role::Deploy, Role::Line, Role::Admin].map(Grant::everywhere).to_vec();
    let visitor = Visitor { name: "ana".into(), at: "laptop".into(), grants };
    Frame {
        visitor: Some(visitor),
        csrf: Some("token".into()),
        zone: TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC),
        ..Frame::new(at(seconds))
    }
}

pub(crate) fn scope() -> ScopeName {
    ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    }
}

pub(crate) fn release(content: &str) -> Release {
    let digest = Digest::of(content.as_bytes());
    Release {
        id: ReleaseId::of(&digest),
        digest,
        packing: Packing::TarZst,
        packed: ByteSize(1 << 20),
        unpacked: ByteSize(4 << 20),
        revision: Some(Revision {
            commit: "4c1d9e2".into(),
            subject: "checkout: retry on 409".into(),
            author: "ana".into(),
            email: None,
            at: at(-720),
        }),
        signed: None,
    }
}

pub(crate) fn host(number: usize) -> HostName {
    HostName::new(format!("web{number}")).unwrap()
}

fn plan(hosts: usize) -> Plan {
    let all: Vec<HostName> = (1..=hosts).map(host).collect();
    let before = Before::Reached {
        release: Some(release("old").id),
        serves: true,
        healthy: true,
        already: false,
        has_release: false,
        has_back_to: true,
        held_out: None,
    };
    let planned = |name: &HostName| PlannedHost {
        host: Host::new(name.clone(), Transport::Local),
        before: before.clone(),
    };
    let (first, rest) = all.split_at(1);
    let (second, third) = rest.split_at(rest.len().min(2));
    let waves = [first, second, third].into_iter().filter(|wave| !wave.is_empty());
    Plan {
        scope: scope(),
        kind: Kind::Deploy,
        release: release("new"),
        back_to: Some(release("old")),
        service: service(&all),
        config: Digest::of(b"line"),
        directory: PathBuf::from("/line"),
        hosts: all.iter().map(|name| (name.clone(), planned(name))).collect(),
        pools: Vec::new(),
        switch: None,
        sites: Vec::new(),
        holdback: 0,
        waves: waves.map(<[HostName]>::to_vec).collect(),
        max_parallel: 1,
        prepare_parallel: 100,
        floor: 6,
        max_failed: 1,
        max_unreachable: 1,
        correlated_failures: 2,
        on_failure: OnFailure::RollBack,
        bake: Duration::ZERO,
        keep: Vec::new(),
        max_changed: None,
    }
}

fn service(hosts: &[HostName]) -> Service {
    Service {
        name: scope().service,
        environments: BTreeMap::from([(scope().environment, hosts.to_vec())]),
        release: ReleaseSource::Directory(PathBuf::from("dist")),
        root: PathBuf::from("/srv/www"),
        run: Run {
            by: Supervision::Own { command: vec![Template::new("{release}/www").unwrap()] },
            ports: Vec::new(),
            environment: BTreeMap::new(),
            stop_timeout: Duration::from_secs(30),
        },
        health: None,
        tests: Vec::new(),
        balancers: Vec::new(),
        blue_green: None,
        rollout: Rollout::default(),
        watch: None,
        tell: None,
    }
}

/// The facts with which every deployment begins.
pub(crate) fn begun(hosts: usize, why: Option<&str>) -> Vec<(Time, Fact)> {
    let request = Request {
        scope: scope(),
        kind: Kind::Deploy,
        release: release("new"),
        by: Person { name: "ana".into(), at: "laptop".into() },
        why: why.map(str::to_owned),
        fixes: None,
        allow_bad: None,
        take_over: false,
        passes: Default::default(),
    };
    vec![(at(0), Fact::Accepted { request }), (at(0), Fact::Planned { plan: Box::new(plan(hosts)) })]
}

pub(crate) fn entered(seconds: i64, state: State) -> (Time, Fact) {
    (at(seconds), Fact::Entered { state })
}

pub(crate) fn became(seconds: i64, number: usize, state: HostState) -> (Time, Fact) {
    (at(seconds), Fact::Host { host: host(number), state })
}

pub(crate) fn doing(stage: Stage, number: usize) -> HostState {
    let token = Token::try_from(format!("d128.f1.web{number}.{stage}.1")).unwrap();
    HostState::Doing(Doing { stage, way: Way::Forward, token })
}

pub(crate) fn failed(reason: &str) -> HostState {
    HostState::Failed(Failure { stage: Stage::Verify, reason: reason.into(), tail: "line one".into() })
}

pub(crate) fn fold(facts: &[(Time, Fact)]) -> Deployment {
    Deployment::fold(DeploymentId(128), facts.iter().map(|(at, fact)| (*at, fact))).unwrap()
}

/// What a page shows, an element a line: without its head, which names files by their digests, and its foot.
pub(crate) fn body(page: &Markup) -> String {
    let (_, rest) = page.0.split_once("<body>").unwrap();
    let (body, _) = rest.split_once("</main>").unwrap();
    body.replace("><", ">\n<")
}
