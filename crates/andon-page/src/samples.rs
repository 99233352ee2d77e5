//! For tests: deployments as there could be, and pages written into the directory that `ANDON_PAGES` names.

use andon_core::chronicle::Chronicle;
use andon_core::deployment::{Course, DeploymentId, HostCounts, Kind, Summary};
use andon_core::digest::Digest;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use maud::Markup;

use crate::frame::Frame;

/// 18 November 2026, noon in UTC.
pub(crate) const NOON: Time = Time(1_795_003_200_000);
pub(crate) const HOUR: i64 = 3_600_000;

const PEOPLE: [&str; 5] = ["ana", "ben", "cleo", "dara", "emil"];
const SUBJECTS: [&str; 4] =
    ["checkout: retry on 409", "search: synonyms", "orders: <b>bold</b> & \"quoted\"", "mail: fewer of them"];

pub(crate) fn release(number: u64) -> ReleaseId {
    ReleaseId::of(&Digest::of(&number.to_le_bytes()))
}

/// A deployment of a revision, `hours` after noon.
pub(crate) fn summary(id: u64, service: &str, revision: u64, state: &str, hours: i64) -> Summary {
    let at = |number: u64| usize::try_from(number).unwrap();
    Summary {
        id: DeploymentId(id),
        scope: ScopeName {
            service: ServiceName::new(service).unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
        },
        kind: Kind::Deploy,
        release: release(revision),
        from: None,
        revision: Some(Revision {
            commit: format!("{:07x}", revision.wrapping_mul(7_919_317) & 0x0fff_ffff),
            subject: SUBJECTS[at(revision % 4)].to_owned(),
            author: PEOPLE[at(revision % 5)].to_owned(),
            email: None,
            at: Time(NOON.0 + i64::try_from(revision).unwrap() * HOUR / 10),
        }),
        by: PEOPLE[at(id % 5)].to_owned(),
        why: None,
        state: state.to_owned(),
        reason: None,
        accepted: Time(NOON.0 + hours * HOUR),
        started: Some(Time(NOON.0 + hours * HOUR)),
        ended: Some(Time(NOON.0 + hours * HOUR + 100_000)),
        hosts: HostCounts { total: 3, changed: 3, succeeded: 3, ..HostCounts::default() },
        course: Course::default(),
    }
}

/// `count` deployments of `services` services, one in every `hours` / 10 hours; some hurt, some go back.
pub(crate) fn many(count: u64, services: u64, tenths: u64) -> Chronicle {
    let mut chronicle = Chronicle::new();
    for n in 0..count {
        let state = match n {
            n if n % 37 == 5 => "failed",
            n if n % 13 == 4 => "rolled_back",
            n if n % 41 == 7 => "aborted",
            n if n % 29 == 3 => "cancelled",
            n if n + 1 == count => "running",
            _ => "succeeded",
        };
        let back = if n % 17 == 16 { services * 2 } else { 0 };
        let service = ["www", "api", "search", "mail", "orders", "images", "login"];
        let at = n % services;
        let name = match service.get(usize::try_from(at).unwrap()) {
            Some(name) => (*name).to_owned(),
            None => format!("service-{at}"),
        };
        let hours = i64::try_from(n * tenths / 10).unwrap();
        chronicle.apply(summary(n + 1, &name, n.saturating_sub(back), state, hours));
    }
    chronicle
}

/// A frame of somebody in Berlin.
pub(crate) fn frame(now: Time) -> Frame {
    let grants = Vec::new();
    let visitor = andon_core::access::Visitor { name: "ana".into(), at: "laptop".into(), grants };
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    Frame { visitor: Some(visitor), zone, path: "/timeline".into(), ..Frame::new(now) }
}

/// Writes a page, with all that it is made of.
pub(crate) fn keep(name: &str, page: &Markup) {
    let Some(directory) = std::env::var_os("ANDON_PAGES") else { return };
    let directory = std::path::PathBuf::from(directory);
    std::fs::create_dir_all(directory.join("assets")).unwrap();
    std::fs::write(directory.join(format!("{name}.html")), &page.0).unwrap();
    for plain in ["andon.css", "andon.js", "live.js", "chart.css", "timeline.css", "timeline.js", "icon.svg"]
    {
        let path = crate::assets::path(plain);
        let asset = crate::assets::find(path.trim_start_matches("/assets/")).unwrap();
        std::fs::write(directory.join(path.trim_start_matches('/')), asset.bytes).unwrap();
    }
}
