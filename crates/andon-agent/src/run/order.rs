//! What a supervisor is told to run: a command line, an environment and a directory, with every placeholder
//! filled. Starts nothing.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_core::host::Placement;
use andon_core::line::{Instance, Template};
use andon_core::release::ReleaseId;
use serde::{Deserialize, Serialize};

use super::process::RELEASE_VARIABLE;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One instance, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What the process is of.
    pub(crate) release: ReleaseId,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Where it works.
    pub(crate) directory: PathBuf,
    /// All of its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Time from `SIGTERM` until it is killed.
    #[serde(with = "andon_core::time::millis")]
    pub(crate) stop_timeout: Duration,
}

impl Order {
    /// How `instance` is started on `release` by our own supervisor. The program is made absolute where it
    /// names a place inside of the release.
    pub(crate) fn new(
        placement: &Placement,
        instance: &Instance,
        release: &ReleaseId,
        command: &[Template],
    ) -> Self {
        let filling = Filling::real(placement, instance, release);
        let mut command: Vec<String> = command.iter().map(|word| filling.fill(word)).collect();
        if let Some(program) = command.first_mut()
            && program.contains('/')
            && !program.starts_with('/')
        {
            *program = format!("{}/{}", filling.release, program.trim_start_matches("./"));
        }
        let mut environment = base_environment();
        environment.extend(service_environment(placement, instance, release));
        environment.extend(declared_environment(placement, instance, release));
        Self {
            release: release.clone(),
            command,
            directory: release_directory(placement, release),
            environment,
            stop_timeout: placement.run.stop_timeout,
        }
    }
}

/// The directory of `release` itself, not `current`.
pub(crate) fn release_directory(placement: &Placement, release: &ReleaseId) -> PathBuf {
    placement.root.join("releases").join(release.as_str())
}

/// What every process of ours gets, and nothing else of the environment that the agent happens to have.
pub(crate) fn base_environment() -> BTreeMap<String, String> {
    let kept = |name: &str, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOME".to_owned(), kept("HOME", "/")),
        ("USER".to_owned(), kept("USER", "root")),
        ("LANG".to_owned(), kept("LANG", "C.UTF-8")),
    ])
}

/// What a process of a service is told about itself.
pub(crate) fn service_environment(
    placement: &Placement,
    instance: &Instance,
    release: &ReleaseId,
) -> BTreeMap<String, String> {
    let mut told = BTreeMap::from([
        (RELEASE_VARIABLE.to_owned(), release.to_string()),
        ("ANDON_SERVICE".to_owned(), placement.service.to_string()),
        ("ANDON_HOST".to_owned(), placement.host.to_string()),
        ("ANDON_INSTANCE".to_owned(), instance.name.to_string()),
    ]);
    if let Some(port) = instance.port {
        told.insert("PORT".to_owned(), port.to_string());
        told.insert("ANDON_PORT".to_owned(), port.to_string());
    }
    told
}

/// The variables that the line declares, filled. `ANDON_RELEASE` is not the line's to set: the release that a
/// process runs is read from it.
pub(crate) fn declared_environment(
    placement: &Placement,
    instance: &Instance,
    release: &ReleaseId,
) -> BTreeMap<String, String> {
    let filling = Filling::real(placement, instance, release);
    placement
        .run
        .environment
        .iter()
        .filter(|(name, _)| *name != RELEASE_VARIABLE)
        .map(|(name, value)| (name.clone(), filling.fill(value)))
        .collect()
}

/// The values of the placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filling {
    /// `{release}`
    pub(crate) release: String,
    /// `{root}`
    pub(crate) root: String,
    /// `{port}`
    pub(crate) port: String,
    /// `{host}`
    pub(crate) host: String,
    /// `{instance}`
    pub(crate) instance: String,
}

impl Filling {
    /// Everything as it is for this instance on this release.
    pub(crate) fn real(placement: &Placement, instance: &Instance, release: &ReleaseId) -> Self {
        Self { release: text(&release_directory(placement, release)), ..Self::stable(placement, instance) }
    }

    /// As [`Filling::real`], but `{release}` goes through `current`, and so does not change with each release.
    pub(crate) fn stable(placement: &Placement, instance: &Instance) -> Self {
        Self {
            release: text(&placement.root.join("current")),
            root: text(&placement.root),
            port: instance.port.map(|port| port.to_string()).unwrap_or_default(),
            host: placement.host.to_string(),
            instance: instance.name.to_string(),
        }
    }

    /// `template` with every placeholder filled.
    pub(crate) fn fill(&self, template: &Template) -> String {
        template.fill(|name| {
            Some(match name {
                "release" => self.release.clone(),
                "current" => format!("{}/current", self.root),
                "shared" => format!("{}/shared", self.root),
                "root" => self.root.clone(),
                "port" => self.port.clone(),
                "host" => self.host.clone(),
                "instance" => self.instance.clone(),
                _ => return None,
            })
        })
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixture;

    #[test]
    fn placeholders_are_filled_and_a_program_inside_of_the_release_becomes_absolute() {
        let mut placement = fixture::placement(Path::new("/srv/www"), &[8080]);
        placement.run.environment.insert("DB".to_owned(), Template::new("{shared}/db-{port}").unwrap());
        placement
            .run
            .environment
            .insert(RELEASE_VARIABLE.to_owned(), Template::new("r-000000000000").unwrap());
        let command =
            ["./bin/www", "--port={port}", "{release}/x", "{current}", "{root}", "{host}-{instance}", "{{}}"]
                .map(|word| Template::new(word).unwrap());
        let order = Order::new(&placement, &placement.instances[0], &fixture::release(1), &command);
        let release = "/srv/www/releases/r-000000000001";
        assert_eq!(
            order.command,
            [
                &format!("{release}/bin/www"),
                "--port=8080",
                &format!("{release}/x"),
                "/srv/www/current",
                "/srv/www",
                "web1-8080",
                "{}"
            ]
        );
        assert_eq!(order.directory, Path::new(release));
        assert_eq!(order.environment["DB"], "/srv/www/shared/db-8080");
        assert_eq!(order.environment["PORT"], "8080");
        assert_eq!(order.environment[RELEASE_VARIABLE], "r-000000000001");
    }

    #[test]
    fn an_instance_without_a_port_gets_no_port() {
        let placement = fixture::placement(Path::new("/srv/www"), &[]);
        let order = Order::new(&placement, &placement.instances[0], &fixture::release(1), &[]);
        assert_eq!(order.environment["ANDON_INSTANCE"], "main");
        assert!(!order.environment.contains_key("PORT") && !order.environment.contains_key("ANDON_PORT"));
    }
}
