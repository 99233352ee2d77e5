//! What the demo says between deployments. Every number comes from a deployment or from the fleet.

use andon_core::deployment::Deployment;
use andon_core::deployment::sentence::hosts;

use super::fleet::{Fleet, HOSTS};
use crate::commands::say;
use crate::follow;
use crate::paint::Paint;
use crate::screen::paragraph;

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
        if !self.silent {
            say(&paragraph("", text, self.width));
        }
    }

    /// Where the demo takes place.
    pub(super) fn scene(&self, fleet: &Fleet) {
        let (first, last) = fleet.ports();
        self.tell(&format!(
            "{HOSTS} hosts on this machine, web1 to web{HOSTS}, at http://127.0.0.1:{first}/ to :{last}. What \
             follows is a real deployment with real processes; its files are below {}.",
            fleet.path().display()
        ));
    }

    /// The title of an act and what will happen.
    pub(super) fn begin(&self, number: u32, name: &str, before: &str) {
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
                "Nobody had to look: {} saw the release and {} back on the old one. Customers of the other {} \
                 never met it.",
                hosts(counts.changed),
                if restored == 1 { "is".to_owned() } else { format!("{restored} are") },
                counts.total - counts.changed,
            ),
        });
    }

    /// An act that did not end as announced.
    pub(super) fn broken_promise(&self, deployment: &Deployment, promise: (&str, u32, u32)) {
        let counts = deployment.host_counts();
        let (state, changed, restored) = promise;
        self.tell("");
        self.tell(&format!(
            "{} This act did not end as announced. Announced: {state}, {changed} changed, {restored} restored. \
             What happened: {}, {} changed, {} restored.",
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
        let (first, _) = fleet.ports();
        self.tell("");
        self.tell(
            &self.paint.strong("The fleet runs until you press Ctrl-C. Look around in another terminal:"),
        );
        for text in [
            format!("export ANDON_LINE={}", line.display()),
            format!("{program} history"),
            format!("{program} show 2"),
            format!("{program} show 2 --log web1"),
            format!("{program} test www"),
            format!("curl http://127.0.0.1:{first}/checkout"),
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
