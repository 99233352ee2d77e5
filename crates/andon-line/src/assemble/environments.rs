//! What guards an environment has to fit the services that are deployed to it.

use andon_core::line::{Environment, Host, Service};
use andon_core::name::EnvironmentName;
use andon_core::plan::{widest, within};
use andon_core::quantity::Share;
use andon_core::suggest::nearest;

use super::Check;
use crate::diagnostic::Diagnostic;

/// A suggestion of waves has at most so many.
const MOST_WAVES: usize = 20;

impl<'a> Check<'a> {
    /// Environments that no service has, and rollouts that would always be refused.
    pub(super) fn guards(&mut self) {
        let draft = self.draft;
        for environment in draft.environments.values() {
            let known = draft.services.values().flat_map(|service| service.environments.keys());
            // Where no service could be read, nothing is known of environments.
            if draft.services.is_empty() || known.clone().any(|name| *name == environment.name) {
                continue;
            }
            let place = self.location(&format!("environment {}", environment.name));
            let error =
                Diagnostic::error(place, format!("no service has an environment {}", environment.name));
            self.diagnostics.push(
                match nearest(environment.name.as_str(), known.map(EnvironmentName::as_str)) {
                    Some(near) => error.help(format!("did you mean {near:?}?")),
                    None => error.help("services name their environments in `hosts`"),
                },
            );
        }
        self.orders();
        for service in draft.services.values() {
            for (name, hosts) in &service.environments {
                let Some(environment) = draft.environments.get(name) else { continue };
                let hosts: Vec<&Host> = hosts.iter().filter_map(|host| draft.hosts.get(host)).collect();
                self.too_wide(service, environment, &hosts);
            }
        }
    }

    /// An environment comes after another one that exists, and never after itself, by whatever way.
    fn orders(&mut self) {
        let draft = self.draft;
        for environment in draft.environments.values() {
            let Some(after) = &environment.after else { continue };
            let place = self.location(&format!("environment {}", environment.name));
            let known = draft.services.values().flat_map(|service| service.environments.keys());
            if !draft.services.is_empty() && !known.clone().any(|name| name == after) {
                let error = Diagnostic::error(place, format!("no service has an environment {after}"));
                self.diagnostics.push(match nearest(after.as_str(), known.map(EnvironmentName::as_str)) {
                    Some(near) => error.help(format!("did you mean {near:?}?")),
                    None => error.help("services name their environments in `hosts`"),
                });
                continue;
            }
            let before =
                |name: &EnvironmentName| draft.environments.get(name).and_then(|it| it.after.as_ref());
            let mut seen = vec![&environment.name];
            let mut next = Some(after);
            while let Some(name) = next.filter(|name| !seen.contains(name)) {
                seen.push(name);
                next = before(name);
            }
            if next == Some(&environment.name) {
                let error = Diagnostic::error(place, format!("{} would come after itself", environment.name));
                self.diagnostics.push(error.help("a release passes environments in one direction"));
            }
        }
    }

    fn too_wide(&mut self, service: &Service, environment: &Environment, hosts: &[&Host]) {
        // Green instances beside blue ones are not described as hosts yet: as many of them as of the others.
        let (widest, total) = widest(service, hosts);
        let Some(most) = environment.most(total).filter(|most| *most < widest) else { return };
        let limit = match environment.max_changed {
            Some(Share::Percent(percent)) => format!("{most} ({percent} %)"),
            Some(Share::Hosts(_)) | None => most.to_string(),
        };
        let name = &environment.name;
        let (key, message, help) = if service.blue_green.is_some() {
            let message = format!(
                "{} would always be refused: a step moves the traffic of {widest} of {total} hosts, and {name} allows {limit}",
                service.name
            );
            ("blue_green", message, "make the steps of the traffic smaller".to_owned())
        } else if service.rollout.by_site {
            let message = format!(
                "{} would always be refused: a site has {widest} of {total} hosts, and {name} allows {limit}",
                service.name
            );
            ("rollout.by_site", message, "raise `max_changed`, or leave out `by_site`".to_owned())
        } else {
            let message = format!(
                "{} would always be refused: a wave has {widest} of {total} hosts, and {name} allows {limit}",
                service.name
            );
            let sizes = within(most, total, &service.rollout.waves);
            let help = match sizes.len() <= MOST_WAVES {
                true => {
                    let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                    format!("these keep within it: `rollout(waves = [{}])`", sizes.join(", "))
                }
                false => "write smaller waves, or raise `max_changed`".to_owned(),
            };
            ("rollout.waves", message, help)
        };
        let place = self.location(&format!("{}.{key}", service.name));
        let related = self.location(&format!("environment {name}"));
        self.diagnostics.push(Diagnostic::error(place, message).related(related, "the limit").help(help));
    }
}
