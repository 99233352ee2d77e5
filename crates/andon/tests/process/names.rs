//! Words that name nothing: each has a clear answer, a suggestion, and changes nothing.

use crate::project::Project;

#[test]
fn an_unknown_service_environment_or_host_is_answered_with_the_one_that_was_meant() {
    let project = Project::local(2);
    for command in ["deploy", "plan", "rollback", "status", "test", "history"] {
        project.run(&[command, "wwv"]).code(2).says("no service \"wwv\"").says("did you mean www?");
        let unknown = project.run(&[command, "www", "prodction"]).code(2);
        unknown.says("no environment \"prodction\"").says("did you mean production?");
    }
    project
        .run(&["test", "www", "--host", "web22"])
        .code(2)
        .says("no host \"web22\"")
        .says("did you mean web2?");
    project.well(&["history", "www", "production"]).says("No deployment yet");
    assert_eq!(project.recorded(), 0);
}

#[test]
fn an_unknown_group_in_the_line_is_shown_where_it_stands() {
    let project = Project::local(1);
    project.write_line("webb", "", "");
    project.run(&["check"]).code(2).says("webb").says("line.star:1");
    project.run(&["deploy", "www"]).code(2).says("webb");
    let found = project.json(&["check"]);
    assert!(!found["errors"].as_array().unwrap().is_empty(), "{found}");
}

#[test]
fn an_unknown_release_or_deployment_is_refused_with_the_way_to_a_known_one() {
    let project = Project::local(1);
    for words in [["show", "7"], ["resume", "7"], ["pause", "7"], ["abort", "7"]] {
        project.run(&words).code(3).says("no deployment #7").says("andon history");
    }
    project.run(&["show"]).code(3).says("no deployment yet");
    project.run(&["rollback", "www"]).code(3).says("no earlier good release");
    project.run(&["rollback", "www", "--to", "r-000000000000"]).code(2).says("r-000000000000");
    project.run(&["rollback", "www", "--to", "yesterday"]).code(2);
    project.well(&["deploy", "www"]);
    let release = project.show(1)["release"].as_str().unwrap().to_owned();
    let mut near = release.clone();
    near.replace_range(13..14, if release.ends_with('0') { "1" } else { "0" });
    let refused = project.run(&["rollback", "www", "--to", &near]).code(2);
    refused.says(&format!("did you mean {release}?"));
    project.run(&["deploy", "www", "--fixes", "99"]).code(3).says("#99");
    project.run(&["show", "1", "--log", "web9"]).code(2).says("did you mean web1?");
    project.run(&["show", "one"]).code(2).says("a deployment is a number");
    project.run(&["resume"]).code(3).says("no deployment is under way");
}

#[test]
fn an_unknown_command_or_topic_has_a_suggestion() {
    let project = Project::new();
    project.run(&["deplyo"]).code(2).says("deploy");
    project.run(&["help", "rollot"]).code(2).says("andon help rollout");
    project.run(&["check"]).code(2).says("no line.star").says("andon init");
    project.run(&["check", "--line", "nowhere/line.star"]).code(2).says("nowhere/line.star");
}
