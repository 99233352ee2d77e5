//! Blue and green: the idle set is changed and tested while users are on the other, then all of them move at once,
//! and back in a moment. Nobody loses a request by it.

use std::collections::BTreeSet;

use andon_load::Mix;
use andon_testbed::Backend;

use crate::front::Front;
use crate::project::text;
use crate::shop::{BALANCER_HOST, Shop, go_on, served, steady};

const HOSTS: u16 = 3;

/// The shop with a green set beside its hosts' own instances, and what its balancer must know of both.
fn two_sets(steps: &str) -> (Shop, Front) {
    let shop = Shop::of(2 * HOSTS);
    let (blue, green) = shop.backends().split_at(usize::from(HOSTS));
    let twin = |(blue, green): (&Backend, &Backend)| Backend {
        name: format!("{}.green", blue.name),
        address: green.address,
    };
    let all: Vec<Backend> = blue.iter().cloned().chain(blue.iter().zip(green).map(twin)).collect();
    let front = Front::haproxy(&all);
    let more = format!(
        "blue_green = blue_green(green = [{}], steps = {steps}, step_time = \"2s\"),",
        green[0].address.port() - 1
    );
    shop.write_line_of(usize::from(HOSTS), &front.expression(BALANCER_HOST), &more, "");
    (shop, front)
}

fn ports(backends: &[Backend]) -> BTreeSet<u16> {
    backends.iter().map(|backend| backend.address.port()).collect()
}

#[test]
fn users_move_to_the_other_set_and_back_and_lose_nothing() {
    let (shop, front) = two_sets("[\"50%\", \"100%\"]");
    shop.open();
    let old = text(&shop.newest(), "release").to_owned();
    let (blue, green) = shop.backends().split_at(usize::from(HOSTS));

    shop.release("next");
    let load = steady(front.address(), Mix::default());
    shop.finish(shop.deploy()).code(0);
    go_on(&load, 900);
    let tally = load.lap();
    let shown = shop.newest();
    let new = text(&shown, "release").to_owned();
    assert_eq!(tally.failed, 0, "{tally}\n{shown:#}");
    assert_eq!((served(&tally, &old), served(&tally, &new)), (ports(blue), ports(green)));
    let story = Shop::story(&shown);
    let at = |words: &str| {
        story.iter().position(|what| what.contains(words)).unwrap_or_else(|| panic!("{words}: {story:#?}"))
    };
    assert!(at("web3.green ready") < at("has 50% of its traffic"), "{story:#?}");
    assert!(at("has 50% of its traffic") < at("web1 has no traffic any more"), "{story:#?}");

    // The old set still runs what it ran: the way back changes nothing on any host.
    shop.finish(shop.project.start(&["rollback", "www"])).code(0);
    go_on(&load, 900);
    let tally = load.lap();
    let shown = shop.newest();
    assert_eq!(tally.failed, 0, "{tally}\n{shown:#}");
    assert_eq!(served(&tally, &old), ports(blue));
    assert!(Shop::story(&shown).iter().all(|what| !what.contains("activating")), "{shown:#}");

    // What fails its tests never meets a user.
    shop.project.write("dist/pages/index.html", "<h1>Nothing here</h1>\n");
    shop.finish(shop.deploy()).code(1);
    go_on(&load, 300);
    let tally = load.stop();
    let bad = text(&shop.newest(), "release").to_owned();
    assert_eq!(tally.failed, 0, "{tally}");
    assert_eq!((served(&tally, &old), served(&tally, &bad)), (ports(blue), BTreeSet::new()));
}

#[test]
fn a_set_that_dies_while_it_is_watched_gives_its_users_back() {
    let (shop, front) = two_sets("[\"100%\"]");
    shop.open();
    let old = text(&shop.newest(), "release").to_owned();
    let (blue, green) = shop.backends().split_at(usize::from(HOSTS));
    shop.edit_line("bake = \"500ms\"", "bake = \"60s\"");
    shop.release("next");
    let running = shop.deploy();
    shop.until_told(2, "all waves are done");
    for pid in green.iter().flat_map(|backend| shop.processes(backend)) {
        andon_testbed::process::kill(pid);
    }
    shop.finish(running).code(1);
    assert_eq!(text(&shop.newest(), "state"), "rolled_back");
    let load = steady(front.address(), Mix::default());
    let tally = load.stop();
    assert_eq!(tally.failed, 0, "{tally}");
    assert_eq!(served(&tally, &old), ports(blue));
}
