//! What the demo says between deployments. Every number comes from a deployment, from the fleet or from its customers.

use andon_core::deployment::Deployment;
use andon_core::deployment::sentence::hosts;

use super::fleet::{Fleet, HOSTS};
use super::users::{Users, Visits};
use crate::commands::say;
use crate::follow;
use crate::paint::Paint;
use crate::screen::{legible, paragraph};

/// Failed requests that are told of in full.
const FAILURES: usize = 5;

/// Speaks, unless it is to be silent.
pub(super) struct Narrator {
    pub(super) paint: Paint,
    pub(super) silent: bool,
    /// Columns.
    pub(super) width: usize,
}

impl Narrator {
    /// One paragraph.
    pub(super) fn tell(&self, text: &str) {
        self.tell_after("", text);
    }

    /// One paragraph, with something before its first line.
    fn tell_after(&self, lead: &str, text: &str) {
        if !self.silent {
            say(&paragraph(lead, text, self.width));
        }
    }

    /// Where the demo takes place.
    pub(super) fn scene(&self, fleet: &Fleet) {
        let (first, last) = fleet.ports();
        self.tell(&format!(
            "{HOSTS} hosts on this machine, web1 to web{HOSTS}, at http://127.0.0.1:{first}/ to :{last}. Before them \
             stands a balancer, `andon proxy`, at http://{}/. What follows are real deployments with real processes; \
             their files are below {}.",
            fleet.balancer.address,
            fleet.path().display()
        ));
    }

    /// Before anybody is there.
    pub(super) fn opening(&self) {
        self.tell("");
        self.tell("The shop opens: its first release goes to all hosts at once, as nobody is there yet.");
    }

    /// Who is there from now on.
    pub(super) fn users(&self) {
        self.tell(&format!("Its customers come, and stay to the end: {}.", Users::description()));
    }

    /// The title of an act and what will happen.
    pub(super) fn begin(&self, number: usize, name: &str, before: &str) {
        self.tell("");
        self.tell(&self.paint.strong(&format!("Act {number}: {name}")));
        self.tell(before);
        self.tell("");
    }

    /// How a deployment ended, as every deployment says it.
    pub(super) fn ending(&self, deployment: &Deployment) {
        if !self.silent {
            say(&follow::ending(deployment, self.paint));
        }
    }

    /// What there was to notice in an act that ended as announced.
    pub(super) fn after(&self, deployment: &Deployment) {
        let counts = deployment.host_counts();
        self.tell("");
        self.tell(&match counts.restored {
            0 => format!(
                "{} of {} hosts serve it, and every one of them has passed its tests.",
                counts.succeeded, counts.total
            ),
            restored => format!(
                "Nobody had to look: {} saw the release and {} back on the old one.",
                hosts(counts.changed),
                if restored == 1 { "is".to_owned() } else { format!("{restored} are") },
            ),
        });
    }

    /// What the customers have met with during an act.
    pub(super) fn visits(&self, deployment: &Deployment, visits: &Visits) {
        let Visits { p99, tally } = visits;
        let release = &deployment.request.release.id;
        let answered = visits.answered_by(release);
        let answered = if answered == 0 { "none".to_owned() } else { answered.to_string() };
        let (sign, failed) = match tally.failed {
            0 => (self.paint.tick(), "none failed".to_owned()),
            failed => (self.paint.cross(), self.paint.bad(&format!("{failed} failed"))),
        };
        let within = match p99 {
            Some(time) => format!("99 of 100 quick ones took at most {:.1} ms; ", time.as_secs_f64() * 1e3),
            None => String::new(),
        };
        self.tell("");
        self.tell_after(
            &format!("{sign} "),
            &format!(
                "{} requests meanwhile, {failed}; {within}{release} answered {answered} of them.",
                tally.requests
            ),
        );
        for failure in tally.failures.iter().take(FAILURES) {
            self.tell_after("    ", &legible(&failure.to_string()));
        }
        if tally.failures.len() > FAILURES {
            self.tell_after("    ", &format!("and {} more", tally.failed - FAILURES as u64));
        }
    }

    /// An act that did not end as announced.
    pub(super) fn broken_promise(&self, deployment: &Deployment, promise: (&str, u32, u32)) {
        let counts = deployment.host_counts();
        let (state, changed, restored) = promise;
        self.tell("");
        self.tell(&format!(
            "{} This act did not end as announced. Announced: {state}, {changed} changed, {restored} restored, \
             no failed request. What happened: {}, {} changed, {} restored.",
            self.paint.cross(),
            deployment.state.name(),
            counts.changed,
            counts.restored,
        ));
    }

    /// What a person can do while the fleet runs.
    pub(super) fn look_around(&self, fleet: &Fleet) {
        let program = program();
        let line = fleet.path().join(crate::context::LINE);
        self.tell("");
        self.tell(
            &self.paint.strong("The fleet runs until you press Ctrl-C. Look around in another terminal:"),
        );
        for text in [
            format!("export ANDON_LINE={}", line.display()),
            format!("{program} line"),
            format!("{program} history"),
            format!("{program} show 3"),
            format!("{program} show 3 --log web1"),
            format!("{program} test www"),
            format!("{program} proxy show --config {}", fleet.balancer.config.display()),
            format!("curl http://{}/checkout", fleet.balancer.address),
        ] {
            if !self.silent {
                say(&format!("  {text}"));
            }
        }
    }
}

/// This program as one would type it here.
fn program() -> String {
    let exe = std::env::current_exe().unwrap_or_else(|_| "andon".into());
    let here = std::env::current_dir().unwrap_or_default();
    let short = exe.strip_prefix(&here).unwrap_or(&exe);
    shell_words::quote(&short.to_string_lossy()).into_owned()
}
