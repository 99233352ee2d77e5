//! The acts of the demo before they are played: what is released, in which weather, and how each is to end.

use super::shop::Shop;
use super::weather::Weather;

/// One act, before it is played.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) shop: Shop,
    pub(super) why: &'static str,
    pub(super) before: &'static str,
    pub(super) weather: Weather,
    /// How the line comes to run for it.
    pub(super) opens: Opens,
    /// Who drives the deployment.
    pub(super) controller: Controller,
    pub(super) promise: Promise,
    /// What there was to notice when it ended as announced.
    pub(super) after: &'static str,
}

/// How an act gets past a line that may be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    /// It runs.
    Running,
    /// The release repairs the act before it.
    Repair,
    /// Somebody starts it, for this reason.
    Started(&'static str),
}

/// Who drives the deployment of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    /// The demo itself.
    Lives,
    /// A process of its own, which is killed in the middle; then the demo itself.
    Dies,
}

/// How an act is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    /// The final state of the deployment.
    pub(super) state: &'static str,
    /// The most hosts that may be changed; one that goes out changes exactly these.
    pub(super) changed: u32,
    /// What the analysis is to say; `None` when it is not to be asked.
    pub(super) verdict: Option<&'static str>,
    /// What it is to blame.
    pub(super) blamed: Option<&'static str>,
    /// What may fail.
    pub(super) loss: Loss,
}

/// What customers may lose in an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// No request fails.
    Nothing,
    /// Of a hundred pages at most so many are answered with an error, by the shop itself. Nothing is refused, cut or
    /// late.
    Pages(u64),
}

impl Promise {
    const fn goes_out(loss: Loss) -> Self {
        Self { state: "succeeded", changed: 6, verdict: Some("pass"), blamed: None, loss }
    }

    /// The first wave is one host, the second two.
    const fn is_put_back(blamed: &'static str, loss: Loss) -> Self {
        Self { state: "rolled_back", changed: 3, verdict: Some("fail"), blamed: Some(blamed), loss }
    }
}

/// The play.
pub(super) const ACTS: [Act; 7] = [
    Act {
        name: "a good release goes out",
        shop: Shop::Good,
        why: "coffee",
        before: "The shop sells coffee now. The release goes to one host, then to two, then to the other three. \
                 Each host is taken out of the balancer and seen to be idle, then changed, checked and tested, and \
                 only then put back. Between the waves new hosts are compared with old ones: their errors, their \
                 slow answers, and the orders that customers place.",
        weather: Weather::Fair,
        opens: Opens::Running,
        controller: Controller::Lives,
        promise: Promise::goes_out(Loss::Nothing),
        after: "All six hosts serve it. Every one has passed its tests, and each wave began when harm by the one \
                before was excluded.",
    },
    Act {
        name: "a broken release is stopped and put back",
        shop: Shop::WhiteOnWhite,
        why: "a brighter checkout",
        before: "Somebody made the checkout brighter: its button is white on white now. The processes start and \
                 every health check passes. Only the production test, which looks at the checkout, can tell.",
        weather: Weather::Fair,
        opens: Opens::Running,
        controller: Controller::Lives,
        promise: Promise {
            state: "rolled_back",
            changed: 1,
            verdict: None,
            blamed: None,
            loss: Loss::Nothing,
        },
        after: "No customer has met the release: the host was tested before it got any traffic. The line is stopped \
                now, and nothing goes out but a repair, until somebody starts it.",
    },
    Act {
        name: "a harmless release on a noisy minute",
        shop: Shop::Repaired,
        why: "the button is green again",
        before: "The repair says what it repairs, and so passes the stopped line. But it has bad luck: the provider \
                 of the payments is in trouble, and on every host some pages fail, now few, now many. An alarm on \
                 errors alone would blame the release.",
        weather: Weather::Gusty,
        opens: Opens::Repair,
        controller: Controller::Lives,
        promise: Promise::goes_out(Loss::Pages(15)),
        after: "It went out, because the old hosts fared no better at the same moments. What failed, failed for \
                everybody. The line runs again, by the repair.",
    },
    Act {
        name: "ten times the errors on a small share of requests",
        shop: Shop::Failing,
        why: "a new way to pay",
        before: "The provider has calmed down: one page of two hundred still fails, on every host. With this release \
                 it is one of twenty. Its processes start, its health checks are good and its production tests \
                 pass.",
        weather: Weather::Drizzle,
        opens: Opens::Running,
        controller: Controller::Lives,
        promise: Promise::is_put_back("errors", Loss::Pages(5)),
        after: "Nineteen of twenty pages were good, and that is what tests see.",
    },
    Act {
        name: "one that is slower by half",
        shop: Shop::Slower,
        why: "the new way to pay, mended",
        before: "The provider is well again. The mended release has no more errors than that, which is none, but it \
                 asks twice for everything: its pages take one and a half times as long.",
        weather: Weather::Fair,
        opens: Opens::Repair,
        controller: Controller::Lives,
        promise: Promise::is_put_back("slow-p90", Loss::Nothing),
        after: "Nothing failed, and nothing was slow enough for a time limit to notice. `slow-p90` counts the answers that \
                are slower than nine of ten were before.",
    },
    Act {
        name: "orders collapse, and every test is green",
        shop: Shop::OrdersLost,
        why: "a shorter way to the till",
        before: "No errors, nothing slow, every test green. But of ten orders nine never reach the till. Andon hears of \
                 orders as the shop reports them, one by one, by StatsD.",
        weather: Weather::Fair,
        opens: Opens::Started("the new way to pay waits until next week"),
        controller: Controller::Lives,
        promise: Promise::is_put_back("orders", Loss::Nothing),
        after: "No health check, no test and no status of any answer could tell. The number that the shop lives on did.",
    },
    Act {
        name: "the controller is killed in the middle",
        shop: Shop::Tills,
        why: "every order reaches the till again",
        before: "The repair is deployed by a process of its own: `andon deploy`, as you would type it. While it changes \
                 the hosts of the second wave it is killed with `kill -9`, and has no time to tidy up.",
        weather: Weather::Fair,
        opens: Opens::Repair,
        controller: Controller::Dies,
        promise: Promise::goes_out(Loss::Nothing),
        after: "Every intent was in the ledger before its effect, so whoever takes over knows what to ask the hosts. No \
                host was changed twice, and none was left outside.",
    },
];
