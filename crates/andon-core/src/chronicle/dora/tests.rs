//! Stories of a service, and what the four keys make of them.

use super::super::tests::{release, scope, summary};
use super::*;
use crate::deployment::{Course, HostCounts, Summary};
use crate::release::Revision;

const HOUR: i64 = 3_600_000;

/// A deployment of eight hosts that ended an hour after it was accepted, at this hour.
fn deployed(id: u64, state: &str, hour: i64) -> Summary {
    let accepted = hour * HOUR;
    Summary {
        started: Some(Time(accepted)),
        ended: Some(Time(accepted + HOUR)),
        hosts: HostCounts { total: 8, changed: 8, ..HostCounts::default() },
        course: Course { canary: Some(1), exposed: Some(8), ..Course::default() },
        ..summary(id, scope("www", "production"), state, accepted)
    }
}

fn written(hour: i64) -> Option<Revision> {
    Some(Revision {
        commit: "4c1d9e2".into(),
        subject: "checkout".into(),
        author: "ana".into(),
        email: None,
        at: Time(hour * HOUR),
    })
}

fn stopped(id: u64, hour: i64, changed: u32, exposed: u32) -> Summary {
    let deployed = deployed(id, "rolled_back", hour);
    Summary {
        hosts: HostCounts { changed, ..deployed.hosts },
        course: Course {
            exposed: Some(exposed),
            trouble: Some(Time(hour * HOUR + HOUR / 2)),
            ..deployed.course
        },
        ..deployed
    }
}

fn measured(rows: Vec<Summary>) -> Measures {
    let mut chronicle = Chronicle::new();
    rows.into_iter().for_each(|row| chronicle.apply(row));
    Changes::of(&chronicle, None).measure(Span::ALL)
}

fn hours(hours: f64) -> Duration {
    Duration::from_secs_f64(hours * 3600.0)
}

#[test]
fn nothing_deployed_is_nothing_measured() {
    assert_eq!(measured(Vec::new()), Measures::default());
    assert_eq!(Measures::default().failure_rate(), None);
}

#[test]
fn lead_time_runs_from_the_commit_until_the_release_serves_everywhere() {
    let one = Summary { revision: written(10), ..deployed(1, "succeeded", 20) };
    let baked = Course { everywhere: Some(Time(40 * HOUR)), ..one.course };
    let two = Summary { revision: written(30), course: baked, ..deployed(2, "succeeded", 39) };
    let unknown = deployed(3, "succeeded", 50);
    // The same release once more says nothing new of how long its change took.
    let again = Summary { id: DeploymentId(4), accepted: Time(60 * HOUR), ..one.clone() };
    let back = Summary { kind: Kind::Rollback, revision: written(1), ..deployed(5, "succeeded", 70) };
    let measures = measured(vec![one, two, unknown, again, back]);
    assert_eq!(measures.deployments, 4);
    assert_eq!(measures.lead, Some(Spread { count: 2, median: hours(10.0), p90: hours(11.0) }));
    assert_eq!(measures.lead_unknown, 1);
}

#[test]
fn what_the_first_wave_caught_and_what_no_user_met_is_counted_apart() {
    let measures = measured(vec![
        deployed(1, "succeeded", 0),
        stopped(2, 10, 1, 1),
        stopped(3, 20, 1, 0),
        stopped(4, 30, 3, 3),
        deployed(5, "aborted", 40),
        Summary { hosts: HostCounts::default(), ..deployed(6, "cancelled", 50) },
        Summary { ended: None, ..deployed(7, "running", 60) },
    ]);
    assert_eq!((measures.met, measures.failed, measures.caught, measures.unmet), (4, 1, 1, 1));
    assert_eq!(measures.failure_rate(), Some(0.25));
    let half = Some(Spread { count: 1, median: hours(0.5), p90: hours(0.5) });
    assert_eq!((measures.restore, measures.restore_caught, measures.open), (half, half, 0));
}

#[test]
fn a_first_wave_that_is_all_there_is_catches_nothing() {
    let single = stopped(1, 0, 1, 1);
    let single = Summary { hosts: HostCounts { total: 1, ..single.hosts }, ..single };
    assert_eq!(measured(vec![single]).failed, 1);
    // A ledger from before this was recorded says nothing of its waves.
    let old = Summary { course: Course::default(), ..stopped(1, 0, 1, 1) };
    let measures = measured(vec![old]);
    assert_eq!((measures.failed, measures.restore, measures.restore_unknown), (1, None, 1));
}

#[test]
fn going_back_makes_a_failure_of_what_went_well() {
    let back = Summary { kind: Kind::Rollback, release: release(1), ..deployed(3, "succeeded", 30) };
    let rows = vec![deployed(1, "succeeded", 10), deployed(2, "succeeded", 20), back.clone()];
    let measures = measured(rows.clone());
    assert_eq!((measures.deployments, measures.met, measures.failed), (2, 2, 1));
    assert_eq!(measures.restore.map(|it| it.median), Some(hours(1.0)));
    // Going back twice is going back once.
    let again = Summary { id: DeploymentId(4), accepted: Time(40 * HOUR), ..back.clone() };
    assert_eq!(measured([rows, vec![again]].concat()).failed, 1);
    // A rollback that was cancelled put nothing right.
    let cancelled = Summary { state: "cancelled".into(), ..back };
    assert_eq!(
        measured(vec![deployed(1, "succeeded", 10), deployed(2, "succeeded", 20), cancelled]).failed,
        0
    );
}

#[test]
fn a_declared_fix_makes_a_failure_of_what_it_mends_and_ends_it() {
    let failed = Summary {
        course: Course { trouble: Some(Time(HOUR)), ..Course::default() },
        ..deployed(1, "failed", 0)
    };
    assert_eq!(measured(vec![failed.clone()]).open, 1);
    let fixes = Course { fixes: Some(DeploymentId(1)), ..deployed(2, "", 0).course };
    let unlucky = Summary { course: Course { trouble: None, ..fixes }, ..deployed(2, "failed", 5) };
    let fix = Summary { course: fixes, ..deployed(3, "succeeded", 9) };
    let measures = measured(vec![failed, unlucky, fix.clone()]);
    assert_eq!((measures.failed, measures.open, measures.restore_unknown), (2, 0, 1));
    assert_eq!(measures.restore, Some(Spread { count: 1, median: hours(9.0), p90: hours(9.0) }));
    // What went well and had to be mended was a failure as well: seen when somebody began to mend it.
    let measures = measured(vec![deployed(1, "succeeded", 0), fix]);
    assert_eq!((measures.met, measures.failed), (2, 1));
    assert_eq!(measures.restore.map(|it| it.median), Some(hours(1.0)));
}

#[test]
fn spans_services_and_environments_are_told_apart() {
    let mut chronicle = Chronicle::new();
    for id in 1..=20 {
        let service = if id % 2 == 0 { "www" } else { "mail" };
        let place = scope(service, if id / 2 % 2 == 0 { "staging" } else { "production" });
        chronicle.apply(Summary { scope: place, ..deployed(id, "succeeded", id as i64 * 24) });
    }
    let production = EnvironmentName::new("production").unwrap();
    let changes = Changes::of(&chronicle, Some(&production));
    assert_eq!(changes.measure(Span::ALL).deployments, 10);
    let www = ServiceName::new("www").unwrap();
    assert_eq!(changes.of_service(&www).measure(Span::ALL).deployments, 5);
    let span = Span { from: Time(10 * 24 * HOUR), until: Time(15 * 24 * HOUR) };
    let by = changes.by_service(span);
    assert_eq!(by.values().map(|it| it.deployments).sum::<u32>(), changes.measure(span).deployments);
    assert_eq!(span.before().until, span.from);
    assert_eq!(changes.measure(span.before()).deployments, 2);
}

#[test]
fn ranks_are_durations_that_occurred() {
    let of = |seconds: &[u64]| spread(seconds.iter().map(|it| Duration::from_secs(*it)).collect());
    assert_eq!(of(&[]), None);
    let one = of(&[7]).unwrap();
    assert_eq!((one.median.as_secs(), one.p90.as_secs()), (7, 7));
    let ten = of(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).unwrap();
    assert_eq!((ten.count, ten.median.as_secs(), ten.p90.as_secs()), (10, 5, 9));
}
