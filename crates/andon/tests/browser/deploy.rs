//! Deploying from the page, and watching it without touching anything.

use crate::project::Project;
use crate::site::Site;

/// A page that was loaded anew has forgotten this.
const MARK: &str = "window.untouched = true";
const UNTOUCHED: &str = "window.untouched === true";

/// A project whose next release waits at a gate in its test.
fn gated() -> Project {
    let project = Project::local(3);
    project.release("one", &project.gate());
    project
}

/// Presses the button that brings the release of the line to production, and waits for the page of the deployment.
fn deploy(site: &Site, number: u64) {
    site.go("/services/www/deploy");
    site.browser.press("Deploy to production").unwrap();
    site.browser
        .until("the deployment has a page", &format!("location.pathname == '/deployments/{number}'"))
        .unwrap();
    site.until_says("www → production");
}

#[test]
fn a_release_is_deployed_from_the_page_watched_live_held_and_rolled_back() {
    let site = Site::of(gated());
    deploy(&site, 1);
    site.browser.eval(MARK).unwrap();
    site.until_says("verifying");
    site.browser.screenshot("deploy/under-way").unwrap();
    site.browser.press("Pause").unwrap();
    site.until_says("Resume");
    site.browser.screenshot("deploy/paused").unwrap();
    site.browser.press("Resume").unwrap();
    let runs = "[...document.querySelectorAll('button')].some((it) => it.innerText.trim() === 'Pause')";
    site.browser.until("it goes on", runs).unwrap();
    site.browser.eval(MARK).unwrap();
    site.project.open_gate();
    site.until_says("Roll back to …");
    site.browser.until("nobody has loaded it again", UNTOUCHED).unwrap();
    site.project.until_shown(1, "it has succeeded", |shown| shown["state"] == "succeeded");

    site.project.release("two", "exit 0");
    site.go("/services/www/deploy");
    let pressed = "const form = document.querySelector('form[action$=stage]');
        const press = () => form.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
        return [press(), press()]";
    let taken = site.browser.eval(pressed).unwrap();
    assert_eq!(taken, serde_json::json!([true, false]), "a second press would begin another one");
    deploy(&site, 2);
    site.until_says("Roll back to …");
    site.browser.press("Roll back to …").unwrap();
    site.until_says("Roll www → production back?");
    site.look("deploy/rollback", &crate::look::ALL).is_empty();
    site.browser.press("Roll back").unwrap();
    site.browser.until("the rollback has a page", "location.pathname == '/deployments/3'").unwrap();
    site.until_says("Roll back to …");
    let shown = site.project.show(3);
    assert_eq!(
        (shown["kind"].as_str(), shown["state"].as_str()),
        (Some("rollback"), Some("succeeded")),
        "{shown:#}"
    );
    site.go("/deployments/3");
    site.look("deploy/rolled-back", &crate::look::ALL).is_empty();
    site.quiet();
}

#[test]
fn what_was_begun_is_aborted_from_the_page_and_put_back() {
    let site = Site::of(Project::local(3));
    site.project.well(&["deploy", "www"]);
    site.project.release("two", &site.project.gate());
    deploy(&site, 2);
    site.until_says("verifying");
    site.browser.press("Abort or put back …").unwrap();
    site.until_says("Abort #2?");
    site.look("deploy/abort", &crate::look::ALL).is_empty();
    site.browser.press("Abort #2").unwrap();
    site.browser.until("it is back at the deployment", "location.pathname == '/deployments/2'").unwrap();
    site.project.open_gate();
    site.until_says("Roll back to …");
    let shown = site.project.show(2);
    assert!(["aborted", "rolled_back"].contains(&shown["state"].as_str().unwrap()), "{shown:#}");
    site.quiet();
}

#[test]
fn a_release_that_fails_is_put_back_before_ones_eyes_and_the_stopped_line_is_seen_and_started() {
    let site = Site::of(Project::local(3));
    site.project.well(&["deploy", "www"]);
    site.project.release("two", "echo the basket is gone; exit 1");
    let watched = "/";
    deploy(&site, 2);
    site.until_says("Roll back to …");
    site.until_says("was rolled back");
    site.look("failed/deployment", &crate::look::ALL).is_empty();
    site.go("/deployments/2/hosts/web1");
    site.until_says("the basket is gone");
    site.look("failed/host", &crate::look::ALL).is_empty();
    site.go(watched);
    site.until_says("The line is stopped");
    site.look("failed/now", &crate::look::ALL).is_empty();
    site.go("/services/www/deploy");
    site.until_says("The line is stopped");
    let free = "document.querySelectorAll('form[action$=stage] button:enabled').length";
    assert_eq!(site.browser.eval(&format!("return {free}")).unwrap(), 0);
    site.go(watched);
    site.browser.fill("#start-why", "the basket is back").unwrap();
    site.browser.press("Start the line").unwrap();
    site.until_says("The line is running");
    site.browser.press("Stop the line").unwrap();
    site.browser.fill("#stop-why", "orders fell").unwrap();
    site.browser.click("form[action='/line/stop'] button").unwrap();
    site.until_says("The line is stopped");
    site.until_says("orders fell");
    site.quiet();
}

#[test]
fn the_page_tells_that_it_hears_nothing_and_goes_on_when_the_server_is_back() {
    let site = Site::of(Project::local(1));
    site.go("/");
    site.until_says("No deployment yet");
    site.browser.offline(true).unwrap();
    site.project.well(&["deploy", "www"]);
    site.browser.offline(false).unwrap();
    site.until_says("#1");
    site.browser.forgive().unwrap();
}

#[test]
fn who_looks_for_hosts_still_sees_those_alone_when_something_has_happened() {
    let site = Site::of(Project::local(3));
    site.go("/hosts");
    let seen =
        "[...document.querySelectorAll('#hosts tbody tr')].filter((row) => row.checkVisibility()).length";
    site.browser.until("all of them", &format!("{seen} === 3")).unwrap();
    site.browser.eval("document.addEventListener('andon:fresh', () => (window.fresh = true))").unwrap();
    site.browser.fill("#q", "web2").unwrap();
    site.browser.until("one of them", &format!("{seen} === 1")).unwrap();
    site.project.well(&["deploy", "www"]);
    site.browser.until("the page has heard of it", "window.fresh === true").unwrap();
    site.browser.until("still one of them", &format!("{seen} === 1")).unwrap();
    assert_eq!(site.browser.text_of("#found").unwrap(), "1 host fits");
    site.quiet();
}
