//! The keyboard alone, without scripts, and in another zone.

use andon_testbed::browser::key;

use crate::project::Project;
use crate::site::Site;

/// Moves the focus on until it is on something with these words; at most so often as a page has anything to focus on.
fn tab_to(site: &Site, words: &str) {
    let focused = "return (document.activeElement?.innerText ?? '').trim()";
    let mut met = Vec::new();
    for _ in 0..80 {
        site.browser.keys(key::TAB).unwrap();
        let now = site.browser.eval(focused).unwrap();
        if now == words {
            let seen = "const style = getComputedStyle(document.activeElement);
                return style.outlineStyle !== 'none' || style.boxShadow !== 'none'";
            assert_eq!(site.browser.eval(seen).unwrap(), true, "nobody sees that {words:?} has the focus");
            return;
        }
        met.push(now.to_string());
    }
    panic!("the keyboard never comes to {words:?}: {}", met.join(", "));
}

#[test]
fn a_release_is_deployed_and_held_with_the_keyboard_alone() {
    let site = Site::of(Project::local(2));
    site.project.release("one", &site.project.gate());
    site.go("/services/www/deploy");
    tab_to(&site, "Deploy to production");
    site.browser.keys(key::ENTER).unwrap();
    site.browser.until("the deployment has a page", "location.pathname == '/deployments/1'").unwrap();
    site.until_says("verifying");
    tab_to(&site, "Pause");
    site.browser.keys(key::ENTER).unwrap();
    site.until_says("Resume");
    tab_to(&site, "Resume");
    site.browser.keys(key::ENTER).unwrap();
    site.project.open_gate();
    site.until_says("Roll back to …");
    site.quiet();
}

#[test]
fn without_scripts_the_same_is_seen_and_done() {
    let site = Site::of(Project::local(2));
    site.browser.scripts(false).unwrap();
    site.go("/");
    assert!(site.browser.text().unwrap().contains("No deployment yet"));
    site.go("/services/www/deploy");
    site.browser.press("Deploy to production").unwrap();
    site.project.until_shown(1, "it has succeeded", |shown| shown["state"] == "succeeded");
    site.go("/deployments/1");
    assert!(site.browser.text().unwrap().contains("Roll back to …"));
    for page in ["/timeline", "/per-day", "/dora", "/dna", "/hosts", "/services", "/releases", "/ledger"] {
        site.go(page);
        assert!(site.browser.text().unwrap().contains("www"), "{page}: {}", site.browser.text().unwrap());
    }
}

#[test]
fn moments_are_told_in_the_zone_of_whoever_looks() {
    let site = Site::of(Project::local(1));
    site.project.well(&["deploy", "www"]);
    site.browser.zone("Asia/Tokyo").unwrap();
    site.go("/deployments/1");
    // The first page sets the cookie, the next one is written for the zone.
    site.go("/deployments/1");
    site.until_says("Asia/Tokyo");
    let told = site
        .browser
        .eval("return [...document.querySelectorAll('time[title]')].map((it) => it.title)")
        .unwrap();
    assert!(told.to_string().contains("JST") || told.to_string().contains("+09"), "{told}");
}
