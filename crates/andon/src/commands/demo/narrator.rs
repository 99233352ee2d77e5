//! What the demo says between deployments. Every number comes from a deployment, from the fleet or from its customers.

use andon_core::deployment::{Deployment, DeploymentId};

use super::act::{Act, Loss};
use super::fleet::{Fleet, HOSTS};
use super::played::Played;
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

    /// Where all of it can be seen; for how long, unless it ends after the last act.
    pub(super) fn page(&self, address: &str, once: bool) {
        let until = if once { "while it runs" } else { "until you stop it" };
        self.tell(&format!("The page of this demo, {until}: {}", self.paint.strong(address)));
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
    pub(super) fn begin(&self, number: usize, act: &Act) {
        self.tell("");
        self.tell(&self.paint.strong(&format!("Act {number}: {}", act.name)));
        self.tell(act.before);
        self.tell("");
    }

    /// Somebody has started the line.
    pub(super) fn started(&self, why: &str) {
        self.tell(&format!(
            "The line was stopped. Somebody has looked at it, and starts it: andon line start {why:?}"
        ));
        self.tell("");
    }

    /// What a controller in a process of its own says.
    pub(super) fn pass_on(&self, line: &str) {
        if !self.silent {
            say(&legible(line));
        }
    }

    /// That controller is dead, and another one takes over.
    pub(super) fn killed(&self, id: DeploymentId) {
        self.tell("");
        self.tell(&format!(
            "{} It was killed. Nobody is in charge of the hosts that it was changing; the others serve. Somebody takes \
             over: andon resume {}",
            self.paint.cross(),
            id.0
        ));
        self.tell("");
    }

    /// How a deployment ended, as every deployment says it.
    pub(super) fn ending(&self, deployment: &Deployment) {
        if !self.silent {
            say(&follow::ending(deployment, self.paint));
        }
    }

    /// What there was to notice in an act that ended as announced.
    pub(super) fn after(&self, act: &Act, played: &Played) {
        self.tell(act.after);
        let Some(restored) = played.restore_seconds else { return };
        let seen = match played.detect_seconds {
            Some(detected) if act.promise.loss == Loss::Nothing => {
                format!("It was seen {detected:.1} s after the first answer of the release, ")
            }
            Some(detected) => {
                format!("It was seen {detected:.1} s after the first page that failed with it, ")
            }
            None => "It was seen, ".to_owned(),
        };
        let (verb, back) = match played.hosts_restored {
            1 => ("was", "1 host".to_owned()),
            n => ("were", format!("{n} hosts")),
        };
        self.tell(&format!("{seen}and {back} {verb} back on the old one {restored:.1} s later."));
    }

    /// What the customers have met with during an act.
    pub(super) fn visits(&self, deployment: &Deployment, visits: &Visits, act: &Act) {
        let Visits { p99, tally, .. } = visits;
        let release = &deployment.request.release.id;
        let (good, bad) = visits.answered_by(release);
        let answered = match good + bad {
            0 => "none".to_owned(),
            answered => answered.to_string(),
        };
        let expected = act.promise.loss != Loss::Nothing;
        let (sign, failed) = match tally.failed {
            0 => (self.paint.tick(), "none failed".to_owned()),
            failed if expected => (self.paint.dot(), format!("{failed} failed")),
            failed => (self.paint.cross(), self.paint.bad(&format!("{failed} failed"))),
        };
        let within = match p99 {
            Some(time) => format!("99 of 100 quick ones took at most {:.1} ms; ", time.as_secs_f64() * 1e3),
            None => String::new(),
        };
        let ill = match bad {
            0 => String::new(),
            bad => format!(", {bad} with an error"),
        };
        self.tell("");
        self.tell_after(
            &format!("{sign} "),
            &format!(
                "{} requests meanwhile, {failed}; {within}{release} answered {answered} of them{ill}.",
                tally.requests
            ),
        );
        if expected {
            return;
        }
        for failure in tally.failures.iter().take(FAILURES) {
            self.tell_after("    ", &legible(&failure.to_string()));
        }
        if tally.failures.len() > FAILURES {
            self.tell_after("    ", &format!("and {} more", tally.failed - FAILURES as u64));
        }
    }

    /// An act that did not end as announced.
    pub(super) fn broken_promise(&self, broken: &str, deployment: &Deployment) {
        let why = deployment.reason().map(|why| format!(" {}: {why}.", deployment.id)).unwrap_or_default();
        self.tell("");
        self.tell(&format!(
            "{} This act did not end as announced: {broken}.{}",
            self.paint.cross(),
            legible(&why)
        ));
    }

    /// What a person can do while the fleet runs.
    pub(super) fn look_around(&self, fleet: &Fleet, page: &str) {
        let program = program();
        let line = fleet.path().join(crate::context::LINE);
        self.tell("");
        self.tell(
            &self.paint.strong("The fleet runs until you press Ctrl-C. Look around in another terminal:"),
        );
        self.tell(&format!("  the page: {page}"));
        for text in [
            format!("export ANDON_LINE={}", line.display()),
            format!("{program} line"),
            format!("{program} history"),
            format!("{program} show 3 --log web1"),
            format!("{program} show 7"),
            format!("{program} show 8"),
            format!("{program} canary replay {}", fleet.path().join(".andon/analysis/7.jsonl").display()),
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
