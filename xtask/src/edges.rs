//! Which crate may depend on which: the architecture as a check.
//!
//! The agent is root on every host and the server holds every secret: neither may ever contain the other.

use serde_json::Value;

use crate::failure::Failure;
use crate::program::{cargo, text};

/// Every crate of the workspace, and the ones of the workspace that it may be built with.
const ALLOWED: &[(&str, &[&str])] = &[
    ("andon-core", &[]),
    ("andon-line", &["andon-core"]),
    ("andon-api", &["andon-core"]),
    ("andon-store", &["andon-core"]),
    ("andon-archive", &["andon-core"]),
    ("andon-load", &["andon-core"]),
    ("andon-chart", &["andon-core"]),
    ("andon-page", &["andon-core", "andon-chart"]),
    ("andon-agent", &["andon-core", "andon-api", "andon-archive"]),
    (
        "andon-server",
        &[
            "andon-core",
            "andon-line",
            "andon-api",
            "andon-store",
            "andon-archive",
            "andon-chart",
            "andon-page",
        ],
    ),
    (
        "andon",
        &[
            "andon-core",
            "andon-line",
            "andon-api",
            "andon-store",
            "andon-archive",
            "andon-load",
            "andon-proxy",
            "andon-server",
            "andon-agent",
        ],
    ),
    ("andon-proxy", &["andon-core", "andon-api"]),
    ("andon-sim", &["andon-core", "andon-api", "andon-server", "andon-store"]),
    ("andon-testbed", &[]),
    ("xtask", &["andon-testbed"]),
];

/// What every crate may use in its tests besides.
const FOR_TESTS: &[&str] = &["andon-testbed"];

/// Checks the workspace as cargo sees it.
pub(crate) fn edges() -> Result<(), Failure> {
    let metadata = text(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| {
        Failure::Found(format!("`cargo metadata` printed something else than JSON: {error}"))
    })?;
    let complaints = complaints(&metadata);
    if complaints.is_empty() { Ok(()) } else { Err(Failure::Found(complaints.join("\n"))) }
}

/// A sentence for every edge that must not be.
fn complaints(metadata: &Value) -> Vec<String> {
    let packages: Vec<&Value> = list(metadata, "packages").collect();
    let names: Vec<&str> = packages.iter().map(|package| string(package, "name")).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = string(package, "name");
        let Some((_, allowed)) = ALLOWED.iter().find(|(of, _)| *of == name) else {
            complaints
                .push(format!("{name} is not in the table of xtask/src/edges.rs; give it a place there"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let to = string(dependency, "name");
            let only_for_tests = dependency["kind"] == "dev" && FOR_TESTS.contains(&to);
            if names.contains(&to) && !allowed.contains(&to) && !only_for_tests {
                complaints.push(format!("{name} must not depend on {to}"));
            }
        }
    }
    complaints
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workspace(from: &str, to: &str, kind: Option<&str>) -> Value {
        let edge = json!({ "name": to, "kind": kind });
        json!({ "packages": [
            { "name": from, "dependencies": [edge, { "name": "serde", "kind": null }] },
            { "name": to, "dependencies": [] },
        ]})
    }

    #[test]
    fn the_server_and_the_agent_never_meet_not_even_in_tests() {
        for (from, to) in [("andon-server", "andon-agent"), ("andon-agent", "andon-server")] {
            for kind in [None, Some("dev"), Some("build")] {
                assert_eq!(
                    complaints(&workspace(from, to, kind)),
                    [format!("{from} must not depend on {to}")]
                );
            }
        }
    }

    #[test]
    fn the_testbed_is_for_tests_only() {
        assert!(complaints(&workspace("andon-agent", "andon-testbed", Some("dev"))).is_empty());
        assert_eq!(complaints(&workspace("andon-agent", "andon-testbed", None)).len(), 1);
    }

    #[test]
    fn a_new_crate_needs_a_place_in_the_table() {
        let complaints = complaints(&workspace("andon-core", "andon-new", None));
        assert_eq!(complaints.len(), 2);
        assert!(complaints[1].starts_with("andon-new is not in the table"));
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(complaints(&workspace("andon-server", "andon-store", None)).is_empty());
    }
}
