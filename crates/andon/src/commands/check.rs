//! `andon check`: every mistake of the line at once.

use andon_core::line::{Line, Service};
use andon_core::name::HostName;
use andon_line::Diagnostics;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::{find_line, width};
use crate::exit;
use crate::paint::Paint;

pub(crate) fn check(common: &Common) -> Done {
    let path = find_line(common)?;
    let loaded = andon_line::load(&path);
    let paint = Paint::stdout();
    if common.json {
        let (errors, warnings) = match &loaded {
            Ok(loaded) => (&[][..], loaded.warnings.as_slice()),
            Err(diagnostics) => (diagnostics.0.as_slice(), &[][..]),
        };
        say_json(&serde_json::json!({ "line": path, "errors": errors, "warnings": warnings }));
        return Ok(if loaded.is_ok() { exit::OK } else { exit::USAGE });
    }
    match loaded {
        Ok(loaded) => {
            let line = &loaded.line;
            if !loaded.warnings.is_empty() {
                say(&Diagnostics(loaded.warnings).render(paint.live, width()));
            }
            let services: Vec<String> =
                line.services.values().map(|service| described(line, service)).collect();
            let (services_n, hosts_n) =
                (count(line.services.len(), "service"), machines(line, line.hosts.keys()));
            let name = path.display();
            say(&format!("{} {name}: {services_n} on {hosts_n}{}", paint.tick(), services.concat()));
            Ok(exit::OK)
        }
        Err(diagnostics) => {
            say(&diagnostics.render(paint.live, width()));
            Ok(exit::USAGE)
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// How many hosts these are, without those that only stand for green instances beside blue ones.
fn machines<'a>(line: &Line, hosts: impl IntoIterator<Item = &'a HostName>) -> String {
    let real = |name: &&HostName| line.hosts.get(*name).is_some_and(|host| !host.twin);
    count(hosts.into_iter().filter(real).count(), "host")
}

/// One service on a line of its own: its environments, and what stands before them.
fn described(line: &Line, service: &Service) -> String {
    let environments: Vec<String> = service
        .environments
        .iter()
        .map(|(name, hosts)| {
            let before: Vec<&str> = service
                .balancers
                .iter()
                .filter(|balancer| balancer.serves(name))
                .map(|balancer| balancer.kind.name())
                .collect();
            let behind = if before.is_empty() { "" } else { " behind " };
            format!("{name} ({}{behind}{})", machines(line, hosts), before.join(" and "))
        })
        .collect();
    format!("\n  {}  {}", service.name, environments.join(", "))
}
