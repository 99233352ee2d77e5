//! The timeline and deployments per day, over HTTP and in a browser, of ledgers that are empty, small and old.

use std::path::Path;
use std::sync::Arc;

use andon_core::deployment::{Course, DeploymentId, HostCounts, Kind, Summary};
use andon_core::digest::Digest;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_server::clock;
use andon_store::{Batch, Ledger, SqliteLedger, StreamAppend, ViewUpdate};
use andon_testbed::browser::key;
use andon_testbed::{Browser, Scheme, Screen};
use serde_json::json;

use crate::site::Site;

const HOUR: i64 = 3_600_000;
/// Rows that are written at once.
const AT_ONCE: u64 = 500;

fn summary(id: u64, at: Time) -> Summary {
    let services = ["www", "api", "search"];
    let people = ["ana", "ben", "cleo"];
    let (n, nth) = (id - 1, |list: [&str; 3], n: u64| list[usize::try_from(n % 3).unwrap()].to_owned());
    // Every eighth goes back to the revision before.
    let revision = if n % 8 == 7 { n - 6 } else { n };
    Summary {
        id: DeploymentId(id),
        scope: ScopeName {
            service: ServiceName::new(nth(services, n)).unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
        },
        kind: Kind::Deploy,
        release: ReleaseId::of(&Digest::of(&revision.to_le_bytes())),
        from: None,
        revision: Some(Revision {
            commit: format!("{:07x}", (revision + 1) * 7_919 % 0x0fff_ffff),
            subject: "checkout: <script>alert(1)</script> on 409".into(),
            author: "eve".into(),
            email: None,
            at: Time(at.0 - HOUR),
        }),
        by: nth(people, n / 3),
        why: None,
        state: if n % 11 == 5 { "rolled_back" } else { "succeeded" }.into(),
        reason: None,
        accepted: at,
        started: Some(at),
        ended: Some(at),
        hosts: HostCounts { total: 3, changed: 3, succeeded: 3, ..HostCounts::default() },
        course: Course::default(),
    }
}

/// A ledger of `count` deployments, the last one an hour ago, one in every `hours`.
fn ledger(data: &Path, count: u64, hours: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Arc::new(SqliteLedger::open(data.join("ledger.db")).await.unwrap());
        let now = clock::now();
        let ids: Vec<u64> = (1..=count).collect();
        for part in ids.chunks(usize::try_from(AT_ONCE).unwrap()) {
            let at = |id: u64| Time(now.0 - HOUR - i64::try_from(count - id).unwrap() * hours * HOUR);
            let append = |id: &u64| StreamAppend {
                stream: DeploymentId(*id).stream(),
                expected: 0,
                facts: vec![json!({ "in_charge": { "fence": 1, "by": { "name": "ana", "at": "desk" } } })],
            };
            let view = |id: &u64| ViewUpdate {
                view: "deployment".into(),
                key: id.to_string(),
                rank: i64::try_from(*id).unwrap(),
                body: serde_json::to_value(summary(*id, at(*id))).unwrap(),
            };
            let (appends, views) = (part.iter().map(append).collect(), part.iter().map(view).collect());
            ledger.append(Batch { at: now, by: "ana".into(), appends, views }).await.unwrap();
        }
    });
}

#[test]
fn an_empty_timeline_teaches() {
    let site = Site::start();
    for path in ["/timeline", "/timeline?span=all", "/per-day"] {
        let page = site.get(path).is(200);
        assert!(
            page.body.contains("Nothing was deployed yet") && page.body.contains("andon init"),
            "{page:?}"
        );
    }
    let none = site.get("/v1/timeline").is(200).json();
    assert_eq!((&none["total"], &none["more"]), (&json!(0), &json!(false)));
    assert_eq!(none["deployments"], json!([]));
    site.get("/v1/deployments/1/traffic").refuses("not_found", "#1");
}

#[test]
fn words_and_spans_choose_and_nonsense_is_refused_with_a_reason() {
    let site = Site::start_over(|data| ledger(data, 48, 6));
    let total = |words: &str| site.get(&format!("/v1/timeline?{words}")).is(200).json()["total"].clone();
    assert_eq!(total(""), 48);
    assert_eq!(total("q=www"), 16);
    assert_eq!(total("q=@ana%20www"), 6);
    assert_eq!(total("q=ERROR"), 4);
    assert_eq!(total("span=1d"), 4);
    let page = site.get("/v1/timeline?limit=10&before=11").is(200).json();
    assert_eq!((page["deployments"].as_array().unwrap().len(), &page["total"]), (10, &json!(48)));
    assert_eq!(page["deployments"][0]["deployment"], 10);

    let found = site.get("/timeline?q=www&span=all").is(200);
    assert!(
        found.body.contains("16 deployments on 1 line.") && !found.body.contains("<script>alert"),
        "{found:?}"
    );
    let hostile = site.get("/timeline?q=%3Cscript%3Ealert(1)%3C/script%3E%22'&span=7d").is(200);
    assert!(
        !hostile.body.contains("<script>alert") && hostile.body.contains("&lt;script&gt;"),
        "{hostile:?}"
    );
    assert!(site.get("/per-day?q=www").is(200).body.contains("16 deployments from "));

    let long = format!("q={}", "x".repeat(201));
    for (words, said) in [
        ("span=7", "is not known"),
        ("span=-1d", "is not known"),
        ("from=yesterday", "is no moment"),
        ("from=99999-01-01", "is no moment"),
        ("from=2026-11-18&to=2026-11-01", "before it begins"),
        (long.as_str(), "longer than 200"),
    ] {
        for path in ["/timeline", "/timeline/part", "/per-day", "/v1/timeline"] {
            site.get(&format!("{path}?{words}")).is(400).refuses("invalid_request", said);
        }
    }
    for words in ["from=0001-01-01&to=9998-12-31", "from=2200-01-01", "span=9999d", "to=1970-01-01"] {
        for path in ["/timeline", "/per-day", "/v1/timeline"] {
            site.get(&format!("{path}?{words}")).is(200);
        }
    }
    site.get("/v1/timeline?limit=0").refuses("invalid_request", "limit is 1 to 500");
}

/// How long the body of a page is on the wire.
fn compressed(page: &str) -> usize {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    gzip.write_all(page.as_bytes()).unwrap();
    gzip.finish().unwrap().len()
}

#[test]
fn a_hundred_thousand_deployments_are_less_than_300_kilobytes() {
    let site = Site::start_over(|data| ledger(data, 100_000, 1));
    for path in ["/timeline?span=all", "/timeline", "/timeline?q=ERROR&span=all", "/per-day?span=all"] {
        let page = site.get(path).is(200);
        let size = compressed(&page.body);
        assert!(size < 300_000, "{path}: {size} bytes");
    }
    let all = site.get("/timeline?span=all").is(200);
    assert!(all.body.contains("100,000 deployments on 3 lines."));
}

#[test]
fn a_browser_filters_zooms_and_reproduces_a_view() {
    let site = Site::start_over(|data| ledger(data, 48, 6));
    let browser = Browser::start().unwrap();
    browser.size(Screen::Desktop).unwrap();
    browser.go(&site.url("/timeline")).unwrap();
    browser.until_says("48 deployments on 3 lines.").unwrap();

    browser.fill("#q", "@ana www").unwrap();
    browser.until_says("6 deployments on 1 line.").unwrap();
    browser.until("the address has the words", "location.search === '?q=%40ana+www'").unwrap();
    assert_eq!(
        browser.eval("return document.activeElement.id").unwrap(),
        "q",
        "focus stays where it is typed"
    );
    browser.fill("#q", "").unwrap();
    browser.until_says("48 deployments on 3 lines.").unwrap();

    let span =
        "(() => { const { from, to } = document.querySelector('.timeline').dataset; return to - from; })()";
    let before = browser.eval(&format!("return {span}")).unwrap().as_f64().unwrap();
    browser.drag("#chart", (0.4, 0.5), (0.6, 0.5)).unwrap();
    browser.until("the span is shorter", &format!("{span} < {}", before / 2.0)).unwrap();
    browser.until("the address has the span", "/from=.*&to=/.test(location.search)").unwrap();
    browser
        .until("it is drawn", "document.querySelector('#told').textContent !== '48 deployments on 3 lines.'")
        .unwrap();
    let link = browser.url().unwrap();
    let told = browser.text_of("#told").unwrap();

    browser.eval("document.getElementById('chart').focus()").unwrap();
    let zoomed = browser.eval(&format!("return {span}")).unwrap().as_f64().unwrap();
    browser.keys("+").unwrap();
    browser.until("+ looks closer", &format!("{span} < {zoomed} * 0.6")).unwrap();
    assert_eq!(browser.eval("return document.activeElement.id").unwrap(), "chart");
    browser.keys("0").unwrap();
    browser.until_says("48 deployments on 3 lines.").unwrap();
    browser.until("0 shows all", "new URLSearchParams(location.search).get('span') === 'all'").unwrap();
    browser.keys(key::ENTER).unwrap();
    browser.until("a marker is focused", "document.activeElement.matches('a.mark')").unwrap();
    browser.until("its row is lit", "document.querySelector('#finds li.lit') !== null").unwrap();
    let first = browser.eval("return document.activeElement.getAttribute('aria-label')").unwrap();
    browser.keys(key::LEFT).unwrap();
    browser
        .until("the arrows go to the next marker", &format!(
            "document.activeElement.matches('a.mark') && document.activeElement.getAttribute('aria-label') !== {first}"
        ))
        .unwrap();

    browser.go(&link).unwrap();
    browser.until_says(&told).unwrap();
    browser.scripts(false).unwrap();
    browser.go(&link).unwrap();
    browser.until_says(&told).unwrap();
    browser.scripts(true).unwrap();

    for path in ["/timeline?span=all", "/per-day?span=all"] {
        browser.go(&site.url(path)).unwrap();
        for screen in [Screen::Desktop, Screen::Phone] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                browser.size(screen).unwrap();
                browser.scheme(scheme).unwrap();
                assert_eq!(browser.inaccessible().unwrap(), [""; 0], "{path} {screen:?} {scheme:?}");
                assert_eq!(browser.broken().unwrap(), [""; 0], "{path} {screen:?} {scheme:?}");
                browser.screenshot(&format!("{}-{}-{}", &path[1..6], screen.name(), scheme.name())).unwrap();
            }
        }
    }
    assert_eq!(browser.complaints().unwrap(), [""; 0]);
}
