//! `andon check`: every mistake of the line at once.

use andon_line::Diagnostics;

use super::{Done, say};
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
        say(&serde_json::json!({ "line": path, "errors": errors, "warnings": warnings }).to_string());
        return Ok(if loaded.is_ok() { exit::OK } else { exit::USAGE });
    }
    match loaded {
        Ok(loaded) => {
            let line = &loaded.line;
            if !loaded.warnings.is_empty() {
                say(&Diagnostics(loaded.warnings).render(paint.live, width()));
            }
            let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let services: Vec<String> = line
                .services
                .values()
                .map(|service| {
                    let environments: Vec<String> = service
                        .environments
                        .iter()
                        .map(|(name, hosts)| format!("{name} ({})", count(hosts.len(), "host")))
                        .collect();
                    format!("\n  {}  {}", service.name, environments.join(", "))
                })
                .collect();
            let (services_n, hosts_n) =
                (count(line.services.len(), "service"), count(line.hosts.len(), "host"));
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
