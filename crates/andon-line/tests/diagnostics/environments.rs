//! Guards of environments that guard nothing, or would refuse everything.

use super::{service_with, told};

fn with(guard: &str, more: &str) -> Vec<String> {
    let hosts: Vec<String> = (1..=50).map(|n| format!("host(\"web{n}\")")).collect();
    let hosts = format!("hosts = {{\"production\": [{}]}}", hosts.join(", "));
    let service = service_with(&hosts);
    told(&format!("{guard}\n{}{more})", service.strip_suffix(')').unwrap()))
}

#[test]
fn an_environment_that_no_service_has_is_a_slip() {
    let said = with("environment(\"prodution\", protected = True)", "");
    assert_eq!(said, ["\"prodution\" => no service has an environment prodution"]);
    assert!(with("environment(\"production\", protected = True)", "").is_empty());
    let twice = with("environment(\"production\")\nenvironment(\"production\")", "");
    assert_eq!(twice.len(), 1, "{twice:?}");
}

#[test]
fn waves_that_could_never_be_deployed_are_told_with_some_that_could() {
    let said = with("environment(\"production\", max_changed = \"20%\")", "");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(
            "www would always be refused: a wave has 32 of 50 hosts, and production allows 10 (20 %)"
        )
    );
    let waves = ", rollout = rollout(waves = [1, 5, 10, 10, 10, 10, 4])";
    assert!(with("environment(\"production\", max_changed = \"20%\")", waves).is_empty());
    assert!(with("environment(\"production\", max_changed = 32)", "").is_empty());
    assert_eq!(with("environment(\"production\", max_changed = 0)", "").len(), 1);
}

#[test]
fn approvals_are_a_small_number() {
    assert!(with("environment(\"production\", approvals = 2)", "").is_empty());
    for wrong in ["11", "-1", "True", "\"one\""] {
        assert_eq!(
            with(&format!("environment(\"production\", approvals = {wrong})"), "").len(),
            1,
            "{wrong}"
        );
    }
}

#[test]
fn an_environment_comes_after_one_that_exists_and_never_after_itself() {
    let said = with("environment(\"production\", after = \"stagin\")", "");
    assert_eq!(said, ["\"production\" => no service has an environment stagin"]);
    let said = with("environment(\"production\", after = \"production\")", "");
    assert_eq!(said, ["\"production\" => production would come after itself"]);
}
