//! The timeline: filtered as one types, zoomed by dragging and by keys, and shown again by its address.

use andon_testbed::Browser;
use andon_testbed::browser::key;

use crate::look;
use crate::project::Project;
use crate::site::Site;

/// What the list beside the chart has; how long ago it was changes while one looks.
const LISTED: &str = "[...document.querySelectorAll('#finds li')].map((it) => it.innerText.replace(/\\d+ (s|min) ago|just now/, '')).join('\\n')";
const COUNT: &str = "document.querySelectorAll('#finds li').length";

/// Waits until the page shows the view that its address names, and this holds of it.
#[track_caller]
fn until_drawn(site: &Site, what: &str, holds: &str) {
    let drawn = "!document.querySelector('#found').hasAttribute('aria-busy')";
    site.browser.until(what, &format!("{drawn} && {holds}")).unwrap();
}

/// Five deployments of www; the fourth was put back.
fn busy() -> Project {
    let project = Project::local(2);
    for (mark, smoke, code) in [("one", 0, 0), ("two", 0, 0), ("three", 0, 0), ("four", 1, 1)] {
        project.release(mark, &format!("exit {smoke}"));
        project.run(&["deploy", "www", "--why", &format!("release {mark}")]).code(code);
    }
    project.well(&["line", "start", "it was the test"]);
    project.well(&["rollback", "www"]);
    project
}

#[test]
fn it_filters_zooms_and_is_shown_again_by_its_address() {
    let site = Site::of(busy());
    site.go("/timeline");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    site.look("timeline/all", &look::ALL).is_empty();

    site.browser.fill("#q", "ERROR").unwrap();
    until_drawn(&site, "one failed", &format!("{COUNT} === 1 && {LISTED}.includes('#4')"));
    assert!(site.path().contains("q=ERROR"), "{}", site.path());
    site.look("timeline/filtered", &look::ALL[..2]).is_empty();
    site.browser.fill("#q", "@ben").unwrap();
    until_drawn(&site, "nothing", "document.body.innerText.includes('Nothing that was deployed fits')");
    site.look("timeline/nothing", &look::ALL).is_empty();
    site.browser.fill("#q", "@ana www web2").unwrap();
    until_drawn(&site, "ana deployed all of them to web2", &format!("{COUNT} === 5"));

    // All of it lies within a minute at the right end: one looks at the last tenth of a tenth of it.
    let before = site.browser.eval("return document.querySelector('.timeline').dataset.from").unwrap();
    site.browser.drag("#chart .both > .wide", (0.8, 0.5), (0.99, 0.5)).unwrap();
    let moved = format!("document.querySelector('.timeline').dataset.from !== {before}");
    site.browser.until("the address says so", "location.search.includes('from=')").unwrap();
    until_drawn(&site, "it looks closer", &moved);
    site.look("timeline/zoomed", &look::ALL[..2]).is_empty();
    let address = site.browser.url().unwrap();
    let seen = site.browser.eval(&format!("return {LISTED}")).unwrap();

    // Somebody else opens the link.
    let other = Browser::start().unwrap();
    other.go(&address).unwrap();
    assert_eq!(other.eval(&format!("return {LISTED}")).unwrap(), seen);
    assert_eq!(other.complaints().unwrap(), [""; 0]);
    site.quiet();
}

#[test]
fn what_is_there_stays_readable_until_the_answer_comes_and_a_late_one_changes_nothing() {
    let site = Site::of(busy());
    site.go("/timeline");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    // Only what is asked about ben is answered at once.
    let hold = "const real = window.fetch; window.held = [];
        window.fetch = (url, how) => url.includes('ben') ? real(url, how)
            : new Promise((give) => window.held.push(() => give(real(url, how))));";
    site.browser.eval(hold).unwrap();
    site.browser.fill("#q", "ERROR").unwrap();
    let waits = "document.querySelector('#found').getAttribute('aria-busy') === 'true'";
    site.browser.until("it is asked for", &format!("{waits} && window.held.length > 0")).unwrap();
    site.look("timeline/waiting", &look::ALL).is_empty();

    site.browser.fill("#q", "@ben").unwrap();
    let nothing =
        format!("{COUNT} === 0 && document.body.innerText.includes('Nothing that was deployed fits')");
    until_drawn(&site, "nothing is ben's", &nothing);
    site.browser
        .eval("for (const give of window.held) give(); return fetch('/timeline/part?q=ben').then(() => true)")
        .unwrap();
    until_drawn(&site, "it still is not", &nothing);
    site.quiet();
}

#[test]
fn the_keyboard_walks_along_it() {
    let site = Site::of(busy());
    site.go("/timeline?span=all");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    site.browser.eval("document.querySelector('#chart').focus()").unwrap();
    site.browser.keys("+").unwrap();
    until_drawn(&site, "it is closer", "location.search.includes('from=')");
    site.browser.keys("0").unwrap();
    until_drawn(&site, "all of it", "!location.search.includes('from=')");
    site.browser.keys(key::ENTER).unwrap();
    site.browser.until("a marker has the focus", "document.activeElement.matches('a.mark')").unwrap();
    site.browser
        .until("it says what it is", "document.querySelector('.readout')?.innerText.includes('www')")
        .unwrap();
    site.browser.screenshot("timeline/marker").unwrap();
    site.browser.keys(key::ENTER).unwrap();
    site.browser
        .until("it leads to the deployment", "location.pathname.startsWith('/deployments/')")
        .unwrap();
    site.quiet();
}

#[test]
fn what_is_new_comes_by_itself_and_does_not_move_what_is_being_read() {
    let site = Site::of(busy());
    site.go("/timeline?span=all");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    site.project.release("five", "exit 0");
    site.project.well(&["deploy", "www"]);
    site.browser.until("it came", &format!("{COUNT} === 6 && {LISTED}.includes('#6')")).unwrap();

    // Whoever is at the chart is told, and decides.
    site.browser.eval("document.querySelector('#chart').focus()").unwrap();
    site.project.well(&["rollback", "www"]);
    site.browser.until("it is offered", "!document.querySelector('#fresh').hidden").unwrap();
    site.browser.until("nothing moved", &format!("{COUNT} === 6")).unwrap();
    site.browser.click("#fresh").unwrap();
    site.browser.until("it is there", &format!("{COUNT} === 7 && {LISTED}.includes('#7')")).unwrap();
    site.quiet();
}

#[test]
fn the_wheel_looks_closer_once_one_is_at_the_chart() {
    let site = Site::of(busy());
    site.go("/timeline?span=all");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    // Before, it moves the page as everywhere.
    site.browser.wheel("#chart", -100).unwrap();
    assert!(!site.path().contains("from="), "{}", site.path());
    site.browser.eval("document.querySelector('#chart').focus()").unwrap();
    site.browser.wheel("#chart", -100).unwrap();
    site.browser.until("it is closer", "location.search.includes('from=')").unwrap();
    site.quiet();
}
