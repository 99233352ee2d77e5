//! What is said about secrets and signatures that could not be used.

use std::fs;

use andon_core::line::{Probe, ReleaseSource};
use andon_line::load_source;

use super::{service_with, told};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn each_mistake_of_a_signature_is_told_at_its_exact_place() {
    let no_key =
        "this is no public key of minisign: 56 characters that begin with RW, the last line of minisign.pub";
    let table: &[(String, String)] = &[
        ("archive(\"a.tar\", signed_by = [\"RWQ\"])".into(), format!("\"RWQ\" => {no_key}")),
        (
            "archive(\"a.tar\", signed_by = [])".into(),
            "[] => nobody could sign this: name at least one key".into(),
        ),
        (
            format!("directory(\"build\", signed_by = [\"{KEY}\"])"),
            "signed_by => `directory` has no parameter `signed_by`".into(),
        ),
    ];
    for (release, wanted) in table {
        assert_eq!(told(&service_with(&format!("release = {release}"))), [wanted.as_str()], "{release}");
    }
    let directory = tempfile::tempdir().unwrap();
    let line = service_with(&format!("release = archive(\"a.tar\", signed_by = [\"{KEY}\"])"));
    let loaded = load_source("line.star", &line, directory.path()).unwrap();
    let release = &loaded.line.services.values().next().unwrap().release;
    assert!(matches!(release, ReleaseSource::Signed { by, .. } if by[0].as_str() == KEY), "{release:?}");
}

#[test]
fn a_production_test_takes_secrets_and_a_health_check_does_not() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("t.sh"), "exit 0\n").unwrap();
    let load = |argument: &str| load_source("line.star", &service_with(argument), directory.path());
    let script = |secrets: &str| format!("script(\"t.sh\", secrets = {secrets})");
    let good = script("{\"SHOP_TOKEN\": secret(\"shop-token\")}");
    let loaded = load(&format!("tests = [{good}]")).unwrap();
    let probe = &loaded.line.services.values().next().unwrap().tests[0].probe;
    let Probe::Script { secrets, .. } = probe else { panic!("{probe:?}") };
    let (variable, name) = secrets.first_key_value().unwrap();
    assert_eq!((variable.as_str(), name.as_str()), ("SHOP_TOKEN", "shop-token"));
    for health in [good.clone(), format!("health({good})")] {
        let error = load(&format!("health = {health}")).unwrap_err().to_string();
        assert!(error.contains("a health check takes no secrets"), "{error}");
    }
    for (secrets, why) in [
        ("{\"SHOP-TOKEN\": secret(\"a\")}", "letters, digits and `_`"),
        ("{\"PATH\": secret(\"a\")}", "decides how programs are found"),
        ("{\"ANDON_HOST\": secret(\"a\")}", "set by Andon"),
        ("{\"SHOP_TOKEN\": \"hunter2hunter2\"}", "a secret, `secret(...)`"),
    ] {
        let error = load(&format!("tests = [{}]", script(secrets))).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
