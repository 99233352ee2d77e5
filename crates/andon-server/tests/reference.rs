//! The documentation of the API is up to date.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use andon_server::http::reference::{openapi_document, page};

/// Insists that a file says that; with `UPDATE_DOCS` writes it.
fn is_current(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "{file} is out of date: UPDATE_DOCS=1 cargo test -p andon-server --test reference"
    );
}

#[test]
fn the_document_for_programs_is_up_to_date() {
    is_current("openapi.json", &openapi_document());
}

#[test]
fn the_page_for_people_is_up_to_date() {
    is_current("api.md", &page());
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let document: serde_json::Value = serde_json::from_str(&openapi_document()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}"));
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            assert!(operation["summary"].is_string(), "{method} {path} does not say what it does");
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path} does not say how it fails"
            );
        }
    }
    assert!(names.len() > 30, "{names:?}");
}
