//! Green instances beside blue ones have names of their own, which nothing else may have.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use andon_core::line::{BlueGreen, Green, Service};
use andon_core::name::HostName;

use super::{Check, placements};
use crate::diagnostic::Diagnostic;

/// What goes by the name of a host for the green instances beside its own ones.
pub(super) fn green_name(host: &HostName) -> String {
    format!("{host}.green")
}

/// The directories of a service on a host.
pub(super) fn roots(service: &Service) -> impl Iterator<Item = Cow<'_, Path>> {
    let green = is_doubled(service).then(|| {
        let mut root = service.root.clone().into_os_string();
        root.push("-green");
        Cow::Owned(PathBuf::from(root))
    });
    std::iter::once(Cow::Borrowed(service.root.as_path())).chain(green)
}

/// Whether a service has green instances beside its blue ones.
pub(super) fn is_doubled(service: &Service) -> bool {
    matches!(service.blue_green, Some(BlueGreen { green: Green::Ports(_), .. }))
}

impl<'a> Check<'a> {
    /// Hosts and services that have the names of green instances.
    pub(super) fn twins(&mut self) {
        let draft = self.draft;
        for service in draft.services.values().filter(|service| is_doubled(service)) {
            let name = format!("{}-green", service.name);
            if let Some(other) = draft.services.get(name.as_str()) {
                let message =
                    format!("{} is the name of the green instances of service {}", other.name, service.name);
                self.refuse_name(service, &format!("service {}", other.name), message);
            }
        }
        for (service, _, host) in placements(draft).filter(|(service, ..)| is_doubled(service)) {
            let name = green_name(&host.name);
            match HostName::new(name.as_str()) {
                Ok(name) if draft.hosts.contains_key(&name) => {
                    let message = format!("{name} is the name of the green instances on host {}", host.name);
                    self.refuse_name(service, &format!("host {name}"), message);
                }
                Ok(_) => {}
                Err(error) => {
                    let message = format!("the green instances on this host are called {name}: {error}");
                    self.refuse_name(service, &format!("host {}", host.name), message);
                }
            }
        }
    }

    fn refuse_name(&mut self, service: &Service, at: &str, message: String) {
        let error = Diagnostic::error(self.location(at), message).help("give it another name");
        let related = self.location(&format!("{}.blue_green", service.name));
        self.diagnostics.push(error.related(related, "the green instances"));
    }
}
