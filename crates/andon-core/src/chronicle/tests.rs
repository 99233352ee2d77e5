//! The chronicle against a plain list, and the words of a query one by one.

use proptest::prelude::*;

use super::*;
use crate::deployment::{Course, HostCounts, Kind};
use crate::digest::Digest;
use crate::name::{EnvironmentName, ServiceName};
use crate::release::{ReleaseId, Revision};

pub(super) fn scope(service: &str, environment: &str) -> ScopeName {
    ScopeName {
        service: ServiceName::new(service).unwrap(),
        environment: EnvironmentName::new(environment).unwrap(),
    }
}

pub(super) fn release(number: u64) -> ReleaseId {
    ReleaseId::of(&Digest::of(&number.to_le_bytes()))
}

pub(super) fn summary(id: u64, scope: ScopeName, state: &str, accepted: i64) -> Summary {
    Summary {
        id: DeploymentId(id),
        scope,
        kind: Kind::Deploy,
        release: release(id),
        from: (id > 1).then(|| release(id - 1)),
        revision: None,
        by: "ana".to_owned(),
        why: None,
        state: state.to_owned(),
        reason: None,
        accepted: Time(accepted),
        started: Some(Time(accepted + 1)),
        ended: Some(Time(accepted + 100)),
        hosts: HostCounts { total: 3, changed: 3, succeeded: 3, ..HostCounts::default() },
        course: Course::default(),
    }
}

fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::new(*name).unwrap()).collect()
}

fn written(commit: &str, subject: &str, author: &str) -> Revision {
    Revision {
        commit: commit.into(),
        subject: subject.into(),
        author: author.into(),
        email: None,
        at: Time(0),
    }
}

/// #1 www, #2 www-admin, #3 mail that failed, #4 www on staging under way.
fn small() -> Chronicle {
    let mut chronicle = Chronicle::new();
    let web = hosts(&["web1.example.com", "web2.example.com", "web10.example.com"]);
    let fleet = FleetId::of(&web);
    let course = Course { fleet: Some(fleet), ..Course::default() };
    chronicle.learn(fleet, web);
    let one = Summary {
        revision: Some(written("4c1d9e2", "checkout: Retry on 409", "Bea Nowak")),
        course,
        ..summary(1, scope("www", "production"), "succeeded", 10)
    };
    let two =
        Summary { by: "cleo".into(), ..summary(2, scope("www-admin", "production"), "rolled_back", 20) };
    let three = Summary {
        reason: Some("web1 failed to verify: Ünwell".into()),
        why: Some("ticket 17".into()),
        kind: Kind::Rollback,
        ..summary(3, scope("mail", "production"), "rollback_failed", 30)
    };
    let four = summary(4, scope("www", "staging"), "baking", 40);
    for row in [one, two, three, four] {
        chronicle.apply(row);
    }
    chronicle
}

fn found(chronicle: &Chronicle, query: &str) -> Vec<u64> {
    chronicle.matching(&Query::parse(query), Span::ALL).map(|row| row.id().0).collect()
}

#[test]
fn each_word_of_a_query_means_one_thing() {
    let chronicle = small();
    let cases: &[(&str, &[u64])] = &[
        ("", &[4, 3, 2, 1]),
        ("  \t ", &[4, 3, 2, 1]),
        ("@cleo", &[2]),
        ("@CL", &[2]),
        ("@bea", &[1]),
        ("@", &[]),
        ("ERROR", &[3, 2]),
        ("failed", &[3]),
        ("ok", &[1]),
        ("rolled-back", &[2]),
        ("running", &[4]),
        ("www", &[4, 1]),
        ("ww", &[4, 2, 1]),
        ("WWW production", &[1]),
        ("www-a", &[2]),
        ("service:ww", &[]),
        ("environment:staging", &[4]),
        ("web1", &[1]),
        ("web1.example.com", &[1]),
        ("web2 mail", &[]),
        ("host:web10", &[1]),
        ("web3", &[]),
        ("web", &[3]),
        ("#3", &[3]),
        ("#03x", &[]),
        ("kind:rollback", &[3]),
        ("4c1d", &[1]),
        ("retry", &[1]),
        ("ticket 17", &[3]),
        ("ünwell", &[3]),
        ("nothing", &[]),
    ];
    for (query, ids) in cases {
        assert_eq!(found(&chronicle, query), *ids, "{query:?}");
    }
    let short = release(2).as_str()[..6].to_owned();
    assert_eq!(found(&chronicle, &short), [2]);
    assert_eq!(found(&chronicle, &format!("release:{}", release(2))), [2]);
    assert_eq!(found(&chronicle, "release:r-1"), [0; 0]);
}

#[test]
fn a_page_says_how_all_that_fit_came_out() {
    let chronicle = small();
    let query = Query::parse("production");
    let page = chronicle.page(&query, Span::ALL, Some(DeploymentId(3)), 1);
    assert_eq!(page.rows.iter().map(|row| row.id().0).collect::<Vec<_>>(), [2]);
    assert!(page.more);
    assert_eq!(
        page.counts,
        OutcomeCounts { succeeded: 1, rolled_back: 1, failed: 1, ..OutcomeCounts::default() }
    );
    let last = chronicle.page(&query, Span::ALL, Some(DeploymentId(2)), 1);
    assert!(!last.more && last.rows.len() == 1);
}

#[test]
fn each_scope_knows_its_last_deployment_and_the_last_that_changed_hosts() {
    let mut chronicle = small();
    let cancelled =
        Summary { hosts: HostCounts::default(), ..summary(5, scope("www", "production"), "cancelled", 50) };
    chronicle.apply(cancelled);
    let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.id().0).collect::<Vec<_>>();
    assert_eq!(ids(chronicle.last_per_scope().collect()), [3, 5, 4, 2]);
    assert_eq!(ids(chronicle.last_changed_per_scope().collect()), [3, 1, 4, 2]);
    assert_eq!(ids(chronicle.newest_of(&scope("www", "production")).collect()), [5, 1]);
    assert_eq!(ids(chronicle.newest_of(&scope("nobody", "production")).collect()), [0; 0]);
}

#[test]
fn a_copy_stays_as_it_was() {
    let mut chronicle = small();
    let copy = chronicle.clone();
    chronicle.apply(summary(4, scope("www", "staging"), "succeeded", 40));
    chronicle.apply(summary(5, scope("new", "staging"), "succeeded", 50));
    assert_eq!(copy.len(), 4);
    assert_eq!(copy.get(DeploymentId(4)).unwrap().outcome(), Outcome::UnderWay);
    assert_eq!(chronicle.get(DeploymentId(4)).unwrap().outcome(), Outcome::Succeeded);
    assert_eq!(copy.scopes().count(), 4);
}

#[test]
fn a_row_is_small() {
    assert!(std::mem::size_of::<Row>() <= 208, "{}", std::mem::size_of::<Row>());
}

/// What a query should find, said as plainly as can be.
fn fits(row: &Summary, fleets: &BTreeMap<FleetId, Vec<HostName>>, all: &[Summary], query: &str) -> bool {
    query.split_whitespace().all(|word| {
        let word = word.to_lowercase();
        let (service, environment) = (row.scope.service.as_str(), row.scope.environment.as_str());
        let on = |row: &Summary| {
            let fleet = row.course.fleet.and_then(|fleet| fleets.get(&fleet));
            fleet.is_some_and(|hosts| {
                hosts
                    .iter()
                    .any(|host| host.as_str() == word || host.as_str().starts_with(&format!("{word}.")))
            })
        };
        let names = |row: &Summary| {
            [row.scope.service.as_str(), row.scope.environment.as_str()].contains(&word.as_str())
        };
        if let Some(person) = word.strip_prefix('@') {
            let author = row.revision.as_ref().map(|revision| revision.author.to_lowercase());
            return row.by.to_lowercase().starts_with(person)
                || author.is_some_and(|author| author.starts_with(person));
        }
        if word == "error" {
            return ["failed", "rollback_failed", "rolled_back"].contains(&row.state.as_str());
        }
        if word == "ok" {
            return row.state == "succeeded";
        }
        if all.iter().any(names)
            || fleets.values().any(|hosts| {
                hosts
                    .iter()
                    .any(|host| host.as_str() == word || host.as_str().starts_with(&format!("{word}.")))
            })
        {
            return names(row) || on(row);
        }
        let texts = [row.why.as_deref(), row.reason.as_deref(), row.revision.as_ref().map(|it| &*it.subject)];
        service.starts_with(&word)
            || environment.starts_with(&word)
            || (word.starts_with("r-") && row.release.as_str().starts_with(&word))
            || row.revision.as_ref().is_some_and(|revision| revision.commit.to_lowercase().starts_with(&word))
            || texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&word))
    })
}

fn any_summary() -> impl Strategy<Value = Summary> {
    let names = (0usize..4, 0usize..2, 0usize..6, 0usize..3);
    let texts = (proptest::option::of("[a-cA-C ä]{0,6}"), proptest::option::of("[a-c]{0,4}"), 0usize..3);
    (1u64..400, names, texts, 0i64..50).prop_map(|(id, (service, environment, state, by), texts, at)| {
        let service = ["www", "mail", "ab", "web1"][service];
        let environment = ["production", "staging"][environment];
        let state = ["succeeded", "failed", "rolled_back", "rollback_failed", "running", "cancelled"][state];
        let (why, subject, fleet) = texts;
        let fleet =
            [None, Some(FleetId::of(&hosts(&FLEETS[0]))), Some(FleetId::of(&hosts(&FLEETS[1])))][fleet];
        Summary {
            by: ["ana", "Bea", "carl"][by].into(),
            why,
            revision: subject.map(|subject| written(&format!("{id:07x}"), &subject, "Dora")),
            course: Course { fleet, ..Course::default() },
            ..summary(id, scope(service, environment), state, at * 10)
        }
    })
}

const FLEETS: [[&str; 2]; 2] = [["web1", "web2.a"], ["web2.a", "db.b"]];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever was deployed, in whatever order it is heard of: the chronicle finds what a plain list would.
    #[test]
    fn the_chronicle_finds_what_a_plain_list_would(
        told in proptest::collection::vec(any_summary(), 0..600),
        words in proptest::collection::vec(
            prop_oneof![
                Just("@a"), Just("@dora"), Just("ERROR"), Just("ok"), Just("www"), Just("w"), Just("web1"),
                Just("web2"), Just("prod"), Just("b"), Just("ä"), Just("r-1"), Just("00000"), Just("AB"),
            ],
            0..3,
        ),
        (from, length) in (0i64..500, 0i64..500),
    ) {
        let mut chronicle = Chronicle::new();
        let fleets: BTreeMap<FleetId, Vec<HostName>> =
            FLEETS.iter().map(|names| (FleetId::of(&hosts(names)), hosts(names))).collect();
        for (id, hosts) in &fleets {
            chronicle.learn(*id, hosts.clone());
        }
        let mut plain: BTreeMap<DeploymentId, Summary> = BTreeMap::new();
        for summary in &told {
            plain.insert(summary.id, summary.clone());
            chronicle.apply(summary.clone());
        }
        let plain: Vec<Summary> = plain.into_values().collect();
        prop_assert_eq!(chronicle.len(), plain.len());
        prop_assert_eq!(&chronicle.rows().map(Row::summary).collect::<Vec<_>>(), &plain);
        let (query, span) = (words.join(" "), Span { from: Time(from), until: Time(from + length) });
        // A scope that was deployed to once is known for good, even when the number was given to another one since.
        let wanted: Vec<u64> = plain
            .iter()
            .rev()
            .filter(|row| span.holds(row.accepted) && fits(row, &fleets, &told, &query))
            .map(|row| row.id.0)
            .collect();
        let got: Vec<u64> =
            chronicle.matching(&Query::parse(&query), span).map(|row| row.id().0).collect();
        prop_assert_eq!(got, wanted, "{}", query);
    }

    /// Any text is a query.
    #[test]
    fn no_text_upsets_a_query(text in ".{0,80}") {
        let chronicle = small();
        prop_assert!(chronicle.matching(&Query::parse(&text), Span::ALL).count() <= 4);
    }
}
