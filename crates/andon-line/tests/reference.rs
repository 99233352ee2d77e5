//! The documentation is true: it covers the language, its examples load, the page is up to date.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use andon_line::{load_source, reference, reference_page};

#[test]
fn every_example_of_the_reference_loads() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("smoke")).unwrap();
    fs::write(directory.path().join("smoke/checkout.sh"), "#!/bin/sh\n").unwrap();
    for constructor in reference() {
        let loaded = load_source("line.star", constructor.example, directory.path());
        let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", constructor.name));
        assert_eq!(loaded.warnings, [], "{}", constructor.name);
        assert!(constructor.example.starts_with(constructor.name));
    }
}

#[test]
fn the_reference_covers_the_constructors_and_their_parameters() {
    let names: Vec<&str> = reference().iter().map(|constructor| constructor.name).collect();
    assert_eq!(
        names,
        [
            "host",
            "group",
            "site",
            "service",
            "environment",
            "server",
            "archive",
            "directory",
            "systemd",
            "process",
            "health",
            "http",
            "tcp",
            "script",
            "nagios",
            "haproxy",
            "agent_check",
            "nginx",
            "proxy",
            "blue_green",
            "rollout",
            "errors",
            "latency",
            "vitals",
            "prometheus",
            "pushed",
            "counted",
            "judge",
            "tell",
            "smtp",
            "slack",
            "webhook",
            "secret"
        ]
    );
    for constructor in reference() {
        assert!(constructor.summary.ends_with(['.', '?']), "{}", constructor.name);
        let mut parameters: Vec<&str> =
            constructor.parameters.iter().map(|parameter| parameter.name).collect();
        parameters.sort_unstable();
        parameters.dedup();
        assert_eq!(parameters.len(), constructor.parameters.len());
        for parameter in &constructor.parameters {
            assert!(!parameter.doc.is_empty() && !parameter.expects.is_empty(), "{}", parameter.name);
            let unknown = load_source(
                "line.star",
                &format!("{}({} = unknown_name)", constructor.name, parameter.name),
                Path::new("."),
            );
            let told = unknown.unwrap_err().to_string();
            assert!(!told.contains("has no parameter"), "{told}");
        }
    }
}

#[test]
fn every_default_of_the_reference_can_be_written() {
    for constructor in reference() {
        for parameter in &constructor.parameters {
            let Some(default) = parameter.default else { continue };
            let line = format!("{}({} = {default})", constructor.name, parameter.name);
            let told = load_source("line.star", &line, Path::new("."))
                .map_or_else(|error| error.to_string(), |_| String::new());
            assert!(!told.contains("expected") && !told.contains("must be"), "{line}: {told}");
        }
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/line.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, reference_page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == reference_page(),
        "docs/reference/line.md is stale; renew it with `UPDATE_DOCS=1 cargo test -p andon-line --test reference`"
    );
}
