//! What `by_site` asks of the hosts: each stands in a site, and there is another one that serves meanwhile.

use std::collections::BTreeSet;

use andon_core::line::{Host, Service};
use andon_core::name::EnvironmentName;

use super::Check;
use crate::diagnostic::Diagnostic;

impl<'a> Check<'a> {
    /// Services that are released site by site, and cannot be. Environments without any site are released as usual.
    pub(super) fn sites(&mut self) {
        let draft = self.draft;
        let services = draft.services.values().filter(|service| service.rollout.by_site);
        for service in services.filter(|service| service.blue_green.is_none()) {
            let mut any = false;
            for (environment, hosts) in &service.environments {
                let hosts: Vec<&Host> = hosts.iter().filter_map(|name| draft.hosts.get(name)).collect();
                if hosts.iter().any(|host| host.site.is_some()) {
                    any = true;
                    self.sites_of(service, environment, &hosts);
                }
            }
            if !any {
                let message = format!("no host of {} stands in a site", service.name);
                let help =
                    "say where they stand, as in `group(..., site = site(\"ams\"))`, or leave out `by_site`";
                self.refuse_by_site(service, message, help, None);
            }
        }
    }

    fn sites_of(&mut self, service: &Service, environment: &EnvironmentName, hosts: &[&Host]) {
        let homeless: Vec<&str> =
            hosts.iter().filter(|host| host.site.is_none()).map(|host| host.name.as_str()).collect();
        if let Some(first) = homeless.first() {
            let others = match homeless.len() {
                1 => " stands".to_owned(),
                2 => " and another one stand".to_owned(),
                more => format!(" and {} more stand", more - 1),
            };
            let message =
                format!("the host {first}{others} in no site, and {environment} is released by site");
            let help = "say where every host stands, with `site = ...` in its `host` or `group`";
            self.refuse_by_site(service, message, help, Some(first));
        }
        let sites: BTreeSet<_> = hosts.iter().filter_map(|host| host.site.as_ref()).collect();
        if let (Some(only), 1) = (sites.first(), sites.len())
            && homeless.is_empty()
        {
            let message = format!("all hosts of {environment} stand in one site, {only}");
            let help = "while a site is taken out another one has to serve; leave out `by_site`";
            self.refuse_by_site(service, message, help, None);
        }
    }

    fn refuse_by_site(&mut self, service: &Service, message: String, help: &str, host: Option<&str>) {
        let place = self.location(&format!("{}.rollout.by_site", service.name));
        let error = Diagnostic::error(place, message).help(help);
        self.diagnostics.push(match host {
            Some(host) => error.related(self.location(&format!("host {host}")), "this host"),
            None => error,
        });
    }
}
