//! Site by site: a whole site leaves its users to the others, changes, is tested, and takes them back.

use andon_load::Mix;

use crate::front::Front;
use crate::project::text;
use crate::shop::{BALANCER_HOST, Shop, go_on, steady};

/// Four hosts, two in each site; users are led to `fra` by a command that a test can break.
fn two_sites() -> (Shop, Front) {
    let shop = Shop::of(4);
    let front = Front::haproxy(shop.backends());
    shop.project.write(
        "dns",
        "#!/bin/sh\ntest ! -e broken || { echo refused >&2; exit 1; }\necho $ANDON_SITE $1 >>said\n",
    );
    let sites =
        "fra = site(\"fra\", out = \"sh ./dns out\", back = \"sh ./dns back\")\nams = site(\"ams\")\n";
    shop.write_line_of(4, &front.expression(BALANCER_HOST), "", "by_site = True, min_available = \"50%\",");
    shop.edit_line("port_offset = n)", "port_offset = n, site = [fra, fra, ams, ams][n - 1])");
    shop.edit_line("web = group(", &format!("{sites}web = group("));
    (shop, front)
}

#[test]
fn each_site_leaves_and_comes_back_and_no_request_is_lost() {
    let (shop, front) = two_sites();
    shop.open();
    shop.release("next");
    let load = steady(front.address(), Mix::default());
    shop.finish(shop.deploy()).code(0);
    go_on(&load, 600);
    let tally = load.stop();
    let shown = shop.newest();
    assert_eq!(tally.failed, 0, "{tally}\n{shown:#}");
    let story = Shop::story(&shown);
    let at = |words: &str| {
        story.iter().position(|what| *what == words).unwrap_or_else(|| panic!("{words}: {story:#?}"))
    };
    assert!(at("fra has no users") < at("web1 activating"), "{story:#?}");
    assert!(at("web2 ready") < at("web1 putting back into traffic"), "{story:#?}");
    assert!(at("fra is as before") < at("users are kept away from ams"), "{story:#?}");
    let said = std::fs::read_to_string(shop.project.path().join("said")).unwrap();
    assert_eq!(said, "fra out\nfra back\nfra out\nfra back\n");
}

#[test]
fn a_site_that_cannot_be_left_pauses_with_the_reason_and_goes_on() {
    let (shop, _front) = two_sites();
    shop.open();
    shop.release("next");
    shop.project.write("broken", "");
    let running = shop.deploy();
    let shown = shop.until_told(2, "paused: fra");
    assert!(text(&shown, "reason").contains("sh ./dns out ended with exit status: 1: refused"), "{shown:#}");
    assert!(Shop::story(&shown).iter().all(|what| !what.contains("draining")), "{shown:#}");
    std::fs::remove_file(shop.project.path().join("broken")).unwrap();
    shop.project.run(&["resume", "2"]).code(0);
    running.end().code(0);
}

#[test]
fn a_site_whose_load_the_others_cannot_carry_is_refused_with_the_numbers() {
    let (shop, _front) = two_sites();
    shop.open();
    shop.release("next");
    shop.edit_line("min_available = \"50%\",", "");
    let refused = shop.project.run(&["plan", "www"]);
    refused.code(3).says("www: without fra 2 hosts serve, floor 3: the site may not be taken out");
}
