//! The timeline: filtered as one types, zoomed by dragging and by keys, and shown again by its address.

use andon_testbed::Browser;
use andon_testbed::browser::key;

use crate::look;
use crate::project::Project;
use crate::site::Site;

/// What the list beside the chart has; how long ago it was changes while one looks.
const LISTED: &str = "[...document.querySelectorAll('#finds li')].map((it) => it.innerText.replace(/\\d+ (s|min) ago|just now/, '')).join('\\n')";
const COUNT: &str = "document.querySelectorAll('#finds li').length";

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
    site.browser.until("one failed", &format!("{COUNT} === 1 && {LISTED}.includes('#4')")).unwrap();
    assert!(site.path().contains("q=ERROR"), "{}", site.path());
    site.look("timeline/filtered", &look::ALL[..2]).is_empty();
    site.browser.fill("#q", "@ben").unwrap();
    site.until_says("Nothing that was deployed fits");
    site.look("timeline/nothing", &look::ALL).is_empty();
    site.browser.fill("#q", "@ana www web2").unwrap();
    site.browser.until("ana deployed all of them to web2", &format!("{COUNT} === 5")).unwrap();

    // All of it lies within a minute at the right end: one looks at the last tenth of a tenth of it.
    let before = site.browser.eval("return document.querySelector('.timeline').dataset.from").unwrap();
    site.browser.drag("#chart .both > .wide", (0.8, 0.5), (0.99, 0.5)).unwrap();
    let moved = format!("document.querySelector('.timeline').dataset.from !== {before}");
    site.browser.until("it looks closer", &moved).unwrap();
    site.browser.until("the address says so", "location.search.includes('from=')").unwrap();
    let listed = || site.browser.eval(&format!("return {LISTED}")).unwrap();
    site.browser
        .until("it is drawn", "!document.querySelector('#found').classList.contains('stale')")
        .unwrap();
    site.look("timeline/zoomed", &look::ALL[..2]).is_empty();
    let (address, seen) = (site.browser.url().unwrap(), listed());

    // Somebody else opens the link.
    let other = Browser::start().unwrap();
    other.go(&address).unwrap();
    assert_eq!(other.eval(&format!("return {LISTED}")).unwrap(), seen);
    assert_eq!(other.complaints().unwrap(), [""; 0]);
    site.quiet();
}

#[test]
fn the_keyboard_walks_along_it() {
    let site = Site::of(busy());
    site.go("/timeline?span=all");
    site.browser.until("all are listed", &format!("{COUNT} === 5")).unwrap();
    site.browser.eval("document.querySelector('#chart').focus()").unwrap();
    site.browser.keys("+").unwrap();
    site.browser.until("it is closer", "location.search.includes('from=')").unwrap();
    site.browser.keys("0").unwrap();
    site.browser.until("all of it", "!location.search.includes('from=')").unwrap();
    site.browser.until("it is drawn", &format!("{COUNT} === 5")).unwrap();
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
