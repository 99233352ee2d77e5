//! A person who stops a deployment behind a balancer at any moment of a host's cycle: no host stays out of traffic.

use rustix::process::Signal;

use crate::front::Front;
use crate::project::text;
use crate::shop::{BALANCER_HOST, Shop};

/// Lines that a deployment of two hosts says, in their order.
const MOMENTS: [&str; 8] = [
    "preparing all hosts",
    "web1 draining",
    "web1 activating",
    "web1 verifying",
    "web1 enabling",
    "wave 2 of 2",
    "web2 verifying",
    "web2 on ",
];

struct Stand {
    shop: Shop,
    front: Front,
    releases: u32,
}

impl Stand {
    fn open() -> Self {
        let shop = Shop::of(2);
        let front = Front::proxy(shop.backends());
        shop.write_line(&front.expression(BALANCER_HOST));
        shop.open();
        Self { shop, front, releases: 0 }
    }

    /// Deploys the next release and presses Ctrl-C once it has said this; twice where it shall be left at once.
    fn stop_at(&mut self, moment: &str, times: u32) -> Option<i32> {
        self.releases += 1;
        self.shop.release(&self.releases.to_string());
        let mut running = self.shop.deploy();
        running.until_said_or_ended(moment);
        running.signal(Signal::INT);
        if times == 2 {
            running.until_said_or_ended("stopping");
            running.signal(Signal::INT);
        }
        self.shop.finish(running).code
    }

    /// All instances are in traffic, and nothing of Andon's is under way.
    #[track_caller]
    fn is_whole(&self, when: &str) {
        let control = self.front.control().unwrap();
        let shown = self.shop.project.json(&["proxy", "show", "--control", control.to_str().unwrap()]);
        for server in ["web1", "web2"] {
            assert_eq!(shown["pools"]["www"][server]["state"], "up", "{when}: {shown:#}");
        }
        let newest = self.shop.newest();
        let state = text(&newest, "state");
        assert!(["aborted", "succeeded", "cancelled"].contains(&state), "{when}: {newest:#}");
    }
}

#[test]
fn ctrl_c_at_any_moment_of_a_cycle_leaves_no_host_drained() {
    let mut stand = Stand::open();
    for moment in MOMENTS {
        let code = stand.stop_at(moment, 1);
        assert!(matches!(code, Some(0 | 1)), "{moment}: {code:?}");
        stand.is_whole(moment);
    }
}

#[test]
fn what_was_left_at_once_is_put_back_into_traffic_by_an_abort() {
    let mut stand = Stand::open();
    for moment in ["web1 draining", "web1 activating", "web1 enabling"] {
        if stand.stop_at(moment, 2) == Some(130) {
            let id = text_id(&stand.shop);
            let rested = stand.shop.project.run(&["sweep"]);
            assert!(matches!(rested.code, Some(0 | 1)), "{moment}: {rested:?}");
            // The wish of the first Ctrl-C may have been answered on the way.
            let ran = stand.shop.project.run(&["abort", &id]);
            assert!(matches!(ran.code, Some(1 | 3)), "{moment}: {ran:?}");
        }
        stand.is_whole(moment);
    }
}

fn text_id(shop: &Shop) -> String {
    shop.project.recorded().to_string()
}
