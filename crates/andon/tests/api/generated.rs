//! A client that a public generator makes from the document works against the real server.

use std::fs;
use std::process::Command;

use andon_testbed::PythonTool;
use andon_testbed::program::find;

use crate::house::House;

#[test]
fn a_client_that_was_generated_lists_deploys_and_reads_the_end() {
    let house = House::open();
    let place = house.project.path().join("generated");
    fs::create_dir(&place).unwrap();
    let document = place.join("openapi.json");
    fs::write(&document, house.get("/v1/openapi.json").is(200).body).unwrap();
    fs::write(
        place.join("config.yaml"),
        "package_name_override: andon_client\nproject_name_override: andon-client\npost_hooks: []\n",
    )
    .unwrap();
    let mut generate = PythonTool::OpenapiPythonClient.command().unwrap();
    generate.current_dir(&place).args(["generate", "--path"]).arg(&document);
    generate
        .args(["--config", "config.yaml", "--meta", "none", "--output-path"])
        .arg(place.join("andon_client"));
    let made = generate.output().unwrap();
    let said = String::from_utf8_lossy(&made.stdout);
    let complained = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}{complained}");
    // It makes nothing of text that is no JSON: numbers that are pushed, and those of the server itself.
    let warned = said.lines().chain(complained.lines()).filter(|line| line.starts_with("WARNING"));
    assert!(warned.clone().all(|line| line.contains("/metrics")), "{said}{complained}");

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/client.py");
    let packages = PythonTool::OpenapiPythonClient.directory().unwrap();
    let paths = std::env::join_paths([place, packages]).unwrap();
    let mut client = Command::new(find("python3").unwrap());
    client.env("PYTHONPATH", paths).arg(script).arg(format!("http://{}", house.address()));
    let ran = client.output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{complained}");
}
