//! Looking at pages as they stand: nothing broken, nothing that keeps somebody out, and a picture of each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use andon_testbed::{Scheme, Screen};
use serde_json::Value;

use crate::site::Site;

/// Every way of looking at a page.
pub(crate) const ALL: [(Screen, Scheme); 4] = [
    (Screen::Desktop, Scheme::Light),
    (Screen::Desktop, Scheme::Dark),
    (Screen::Phone, Scheme::Light),
    (Screen::Phone, Scheme::Dark),
];

/// Pages of one shape that are looked at.
const OF_ONE_SHAPE: usize = 1;

/// Links that stay here and lead to something to look at.
const LINKS: &str = "return [...document.querySelectorAll('a[href]')]
    .filter((link) => link.origin === location.origin).map((link) => link.pathname + link.search)";

/// What was found wrong, page by page.
#[derive(Default)]
pub(crate) struct Report(String);

impl Report {
    /// Insists that there is nothing in it.
    #[track_caller]
    pub(crate) fn is_empty(&self) {
        assert!(self.0.is_empty(), "{}", self.0);
    }

    fn add(&mut self, page: &str, how: &str, found: &[String]) {
        for it in found {
            // Writing to a string cannot fail.
            let _ = writeln!(self.0, "{page} ({how}): {it}");
        }
    }
}

impl Site {
    /// Looks at the page where the browser is, in every way, and keeps pictures whose names begin with `name`.
    pub(crate) fn look(&self, name: &str, ways: &[(Screen, Scheme)]) -> Report {
        let mut report = Report::default();
        let page = self.path();
        for (screen, scheme) in ways {
            let browser = &self.browser;
            browser.size(*screen).unwrap();
            browser.scheme(*scheme).unwrap();
            let how = format!("{}, {}", screen.name(), scheme.name());
            report.add(&page, &how, &browser.broken().unwrap());
            if *scheme != Scheme::Print {
                report.add(&page, &how, &browser.inaccessible().unwrap());
            }
            browser.screenshot(&format!("{name}-{}-{}", screen.name(), scheme.name())).unwrap();
        }
        report.add(&page, "console", &self.browser.complaints().unwrap());
        self.browser.forgive().unwrap();
        self.browser.size(Screen::Desktop).unwrap();
        self.browser.scheme(Scheme::Light).unwrap();
        report
    }

    /// Looks at every page that links lead to from where the browser is: of each shape one. Returns what was found, and
    /// the shapes.
    pub(crate) fn look_everywhere(&self, name: &str, ways: &[(Screen, Scheme)]) -> (Report, Vec<String>) {
        let mut whole = Report::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut known = BTreeSet::new();
        let mut next = VecDeque::from([self.path()]);
        while let Some(path) = next.pop_front() {
            let shape = shape_of(&path);
            let count = seen.entry(shape.clone()).or_default();
            if *count >= OF_ONE_SHAPE {
                continue;
            }
            *count += 1;
            self.go(&path);
            let picture = shape.trim_matches('/').replace(['/', '?', '&', '='], "_").replace('*', "x");
            let picture = if picture.is_empty() { "now" } else { &picture };
            let report = self.look(&format!("{name}/{picture}"), ways);
            whole.0 += &report.0;
            for link in
                self.browser.eval(LINKS).unwrap().as_array().into_iter().flatten().filter_map(Value::as_str)
            {
                if is_page(link) && known.insert(link.to_owned()) {
                    next.push_back(link.to_owned());
                }
            }
        }
        (whole, seen.into_keys().collect())
    }
}

/// Whether an address leads to HTML, as far as its name tells.
fn is_page(path: &str) -> bool {
    let outside = ["/assets/", "/v1/", "/sign-", "/badges/", "/feed"];
    let file = [".svg", ".json", ".jsonl", ".csv", ".atom", ".rss", ".xml", "/export"];
    let bare = path.split('?').next().unwrap_or(path);
    !outside.iter().any(|it| bare.starts_with(it)) && !file.iter().any(|it| bare.ends_with(it))
}

/// Paths that differ only in a number, a release or a name of the project have one shape.
fn shape_of(path: &str) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let is_name =
        |part: &str| part.bytes().any(|byte| byte.is_ascii_digit()) || ["www", "production"].contains(&part);
    let parts: Vec<&str> = bare.split('/').map(|part| if is_name(part) { "*" } else { part }).collect();
    let keys: BTreeSet<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    let keys = keys.into_iter().filter(|key| !key.is_empty()).collect::<Vec<_>>().join("&");
    let bare = parts.join("/");
    if keys.is_empty() { bare } else { format!("{bare}?{keys}") }
}
