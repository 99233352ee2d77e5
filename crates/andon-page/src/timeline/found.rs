//! What a view of the timeline shows: from all deployments to lanes, ranks and rows. Decides nothing but order.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use andon_chart::timeline::{Lane, MOST_LANES, Mark, Timeline};
use andon_core::chronicle::{Chronicle, Outcome, OutcomeCounts, Query, Row, Span};
use andon_core::name::ServiceName;
use andon_core::scope::ScopeName;
use andon_core::time::Time;

use crate::view::View;

/// Deployments in the list.
pub const MOST_ROWS: usize = 100;
/// The days that are shown where nothing was said.
pub const USUAL: u16 = 30;

/// What is found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The chart.
    pub chart: Timeline<'a>,
    /// The newest that fit.
    pub rows: Vec<&'a Row>,
    /// How all that fit came out.
    pub counts: OutcomeCounts,
    /// The span.
    pub span: Span,
    /// Services and environments with deployments that fit.
    pub lanes: usize,
}

impl<'a> Found<'a> {
    /// Looks for what `view` asks for.
    pub fn of(chronicle: &'a Chronicle, view: &View, now: Time) -> Self {
        let span = view.span(chronicle, now, USUAL);
        let matching: Vec<&Row> = chronicle.matching(&Query::parse(&view.query), span).collect();
        let mut counts = OutcomeCounts::default();
        matching.iter().for_each(|row| counts.add(row.outcome()));
        let (wanted, lanes) = scopes(&matching);
        let mut courses = courses(chronicle, span, &wanted, &matching);
        before(chronicle, span, &mut courses);
        let ranks = ranks(&courses);
        let lanes_drawn = courses.into_iter().map(|(scope, course)| lane(scope, course, &ranks)).collect();
        let zoom = view.filter("/timeline");
        let chart = Timeline { from: span.from, to: span.until, now, lanes: lanes_drawn, zoom };
        let rows = matching.into_iter().take(MOST_ROWS).collect();
        Self { chart, rows, counts, span, lanes }
    }
}

/// The scopes that are drawn, those with the newest deployments where there are too many; and how many there are.
fn scopes<'a>(matching: &[&'a Row]) -> (BTreeSet<&'a ScopeName>, usize) {
    let (mut wanted, mut all) = (BTreeSet::new(), BTreeSet::new());
    for row in matching {
        all.insert(row.scope());
        if wanted.len() < MOST_LANES {
            wanted.insert(row.scope());
        }
    }
    (wanted, all.len())
}

/// What was deployed in a scope.
#[derive(Default)]
struct Course<'a> {
    /// Within the span, the newest first, and whether it fits.
    rows: Vec<(&'a Row, bool)>,
    /// What ran when the span began.
    before: Option<&'a Row>,
    /// Since when each release without a commit is known: the span's own deployments are not always its first.
    first: BTreeMap<String, Time>,
}

type Courses<'a> = BTreeMap<&'a ScopeName, Course<'a>>;

fn courses<'a>(
    chronicle: &'a Chronicle,
    span: Span,
    wanted: &BTreeSet<&'a ScopeName>,
    matching: &[&'a Row],
) -> Courses<'a> {
    let mut courses: Courses<'a> = wanted.iter().map(|scope| (*scope, Course::default())).collect();
    let mut fits = matching.iter().map(|row| row.id()).peekable();
    for row in chronicle.within(span) {
        // Both go from the newest on.
        let shown = fits.next_if_eq(&row.id()).is_some();
        if let Some(course) = courses.get_mut(row.scope()) {
            course.rows.push((row, shown));
            if row.revision().is_none() {
                note(&mut course.first, row);
            }
        }
    }
    courses
}

fn note(first: &mut BTreeMap<String, Time>, row: &Row) {
    let since = first.entry(row.release().to_string()).or_insert(row.accepted());
    *since = row.accepted().min(*since);
}

/// Looks back from the span: what ran, and since when releases without a commit are known.
fn before<'a>(chronicle: &'a Chronicle, span: Span, courses: &mut Courses<'a>) {
    let earlier = Span { from: Span::ALL.from, until: span.from };
    let mut open = courses.len();
    let unknown = courses.values().any(|course| !course.first.is_empty());
    for row in chronicle.within(earlier) {
        if open == 0 && !unknown {
            return;
        }
        let Some(course) = courses.get_mut(row.scope()) else { continue };
        if course.before.is_none() && row.outcome() == Outcome::Succeeded {
            course.before = Some(row);
            open -= 1;
            if row.revision().is_none() {
                note(&mut course.first, row);
            }
        }
        if row.revision().is_none()
            && let Some(since) = course.first.get_mut(row.release().as_str())
        {
            *since = row.accepted().min(*since);
        }
    }
}

/// The place of a release in the order of revisions: when it was committed, or first deployed.
type Key = (Time, String);

fn key(row: &Row, course: &Course<'_>) -> Key {
    let release = row.release().to_string();
    match row.revision() {
        Some(revision) => (revision.at, release),
        None => (course.first.get(&release).copied().unwrap_or(row.accepted()), release),
    }
}

/// The ranks of the revisions of each service, over all of its environments.
fn ranks(courses: &Courses<'_>) -> BTreeMap<ServiceName, BTreeMap<Key, u32>> {
    let mut ranks: BTreeMap<ServiceName, BTreeMap<Key, u32>> = BTreeMap::new();
    for (scope, course) in courses {
        let known = ranks.entry(scope.service.clone()).or_default();
        let rows = course.rows.iter().map(|(row, _)| *row).chain(course.before);
        known.extend(rows.map(|row| (key(row, course), 0)));
    }
    for known in ranks.values_mut() {
        known.values_mut().zip(0..).for_each(|(rank, place)| *rank = place);
    }
    ranks
}

fn lane<'a>(
    scope: &'a ScopeName,
    course: Course<'a>,
    ranks: &BTreeMap<ServiceName, BTreeMap<Key, u32>>,
) -> Lane<'a> {
    let ranks = ranks.get(&scope.service);
    let rank = |row: &Row| ranks.and_then(|ranks| ranks.get(&key(row, &course))).copied();
    let mark = |(row, shown): &(&'a Row, bool)| Mark {
        number: row.id().0,
        at: row.accepted(),
        rank: rank(row),
        outcome: row.outcome(),
        revision: revision(row),
        by: row.by(),
        shown: *shown,
    };
    let mut marks: Vec<Mark<'a>> = course.rows.iter().rev().map(mark).collect();
    // Numbers are in order, moments nearly so.
    marks.sort_by_key(|mark| mark.at);
    let ran = course.rows.iter().map(|(row, _)| *row).find(|row| row.outcome() == Outcome::Succeeded);
    Lane {
        service: scope.service.as_str(),
        environment: scope.environment.as_str(),
        before: course.before.and_then(rank),
        runs: ran.or(course.before).map(revision),
        marks,
    }
}

/// The commit, or the release where there is none.
pub(super) fn revision(row: &Row) -> Cow<'_, str> {
    match row.revision() {
        Some(revision) => Cow::Borrowed(revision.commit.as_str()),
        None => Cow::Owned(row.release().to_string()),
    }
}
