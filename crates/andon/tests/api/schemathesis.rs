//! Schemathesis asks the server for everything that the document allows, and for much that it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use andon_testbed::PythonTool;

use crate::house::House;
use crate::project::Project;

/// What it is told besides: streams have no end, and some of what is asked for has rules that no schema says.
const CONFIG: &str = r#"
[generation]
database = "none"

[[operations]]
include-path-regex = "/v1/(events|deployments/\\{number\\}/progress)"
enabled = false

[[operations]]
include-path-regex = "/v1/(evaluations|flagger|metrics|releases|inspections|users|tokens|plans|environments|subscriptions|timeline|deployments/per-day).*"
checks.positive_data_acceptance.enabled = false
"#;

/// What whoever may ask shows: without it every request is to be refused.
const TOKEN: &str = "correct-horse-battery";

#[test]
fn schemathesis_finds_nothing() {
    let examples = std::env::var("ANDON_SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "8".to_owned());
    let project = Project::local(1);
    let token = project.path().join("token");
    fs::write(&token, TOKEN).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let house = House::of(project, &["--token-file", token.to_str().unwrap()]);
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let lines = format!("{authorization}\r\n");
    let wanted = serde_json::json!({ "service": "www" });
    house.post_as("/v1/deployments", &wanted, &lines).is(201);
    let config = house.project.path().join("schemathesis.toml");
    fs::write(&config, CONFIG).unwrap();
    let mut command = PythonTool::Schemathesis.command().unwrap();
    command
        .current_dir(house.project.path())
        .arg("--config-file")
        .arg(&config)
        .args(["run", "--max-examples", &examples, "--seed", "1", "--workers", "1"])
        .args(["--request-timeout", "60", "--no-color", "--phases", "examples,coverage,fuzzing"])
        .args(["-H", &authorization])
        .arg(format!("http://{}/v1/openapi.json", house.address()));
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&ran.stderr), house.log());
    assert_eq!(house.get("/health").is(200).json()["status"], "ok");
}
