//! What every command has in common: help, completion, plain text where nobody looks, exit codes.

use crate::project::Project;

const COMMANDS: [&str; 21] = [
    "init", "check", "plan", "deploy", "rollback", "status", "traffic", "sweep", "history", "show", "pause",
    "resume", "abort", "run", "test", "proxy", "demo", "ledger", "explain", "help", "line",
];

#[test]
fn every_command_explains_itself_with_an_example() {
    let project = Project::new();
    for command in COMMANDS {
        let said = project.well(&[command, "--help"]);
        assert!(said.out.contains("Example"), "{command}: {said:?}");
        assert!(said.out.contains(&format!("andon {command}")), "{command}: {said:?}");
        project.well(&["help", command]).says("Example");
    }
    let all = project.well(&["--help"]);
    COMMANDS.iter().for_each(|command| assert!(all.out.contains(&format!("\n  {command} ")), "{command}"));
}

#[test]
fn completion_is_there_for_every_common_shell() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = project.well(&["completion", shell]).out;
        assert!(script.contains("andon") && script.contains("rollback"), "{shell}: {script}");
    }
}

#[test]
fn where_nobody_looks_there_are_no_escape_codes() {
    let project = Project::local(2);
    let plain = |words: &[&str]| {
        let ran = project.run(words);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{words:?}: {ran:?}");
    };
    plain(&["plan", "www"]);
    plain(&["deploy", "www"]);
    plain(&["deploy", "wwv"]);
    plain(&["status", "www"]);
    plain(&["history"]);
    plain(&["show", "1"]);
    plain(&["help", "deploy"]);
    plain(&["help"]);
    plain(&["--help"]);
    let mut command = project.command(&["history"]);
    command.env("CLICOLOR_FORCE", "1");
    let forced = project.start_command(command).end();
    assert!(forced.out.contains('\u{1b}'), "{forced:?}");
    let mut command = project.command(&["history"]);
    command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!project.start_command(command).end().out.contains('\u{1b}'));
}

#[test]
fn a_program_that_reads_json_gets_one_object_also_for_a_failure() {
    let project = Project::local(1);
    let failure = project.json(&["deploy", "wwv"]);
    assert!(failure["error"]["what"].as_str().unwrap().contains("wwv"), "{failure}");
    assert_eq!(failure["error"]["next"], "did you mean www?");
    let deployed = project.json(&["deploy", "www"]);
    assert_eq!(deployed["state"], "succeeded");
    let plan = project.json(&["plan", "www"]);
    assert!(plan["error"]["what"].as_str().unwrap().contains("already"), "{plan}");
    let trial = project.json(&["test", "www"]);
    assert_eq!(trial[0]["host"], "web1");
}

#[test]
fn a_reader_that_goes_away_is_no_reason_to_complain() {
    use std::process::Stdio;
    let project = Project::new();
    let mut child = project.command(&["help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_first_line_is_written_and_never_overwritten() {
    let project = Project::new();
    project.well(&["init", "shop"]).says("andon check");
    project.well(&["check"]).says("shop").says("production (2 hosts)");
    project.run(&["init"]).code(3).says("exists already");
    project.well(&["check"]).says("shop");
    project.well(&["explain", "shop.rollout"]).says("line.star:");
    project.run(&["explain", "shop.rollot"]).code(2).says("did you mean shop.rollout?");
    project.well(&["status"]).says("Nothing has been deployed yet");
    project.well(&["history"]).says("No deployment yet");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_deployment() {
    use std::process::Stdio;
    let project = Project::local(2);
    let mut command = project.command(&["deploy", "www"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(project.show(1)["state"], "succeeded");
}

#[test]
fn a_terminal_that_knows_only_ascii_gets_nothing_else() {
    let project = Project::local(2);
    for words in [
        &["plan", "www"][..],
        &["deploy", "www"],
        &["status", "www"],
        &["history"],
        &["show"],
        &["test", "www"],
    ] {
        let mut command = project.command(words);
        command.env("LC_ALL", "C");
        let ran = project.start_command(command).end().code(0);
        assert!(ran.out.is_ascii() && ran.err.is_ascii(), "{words:?}: {ran:?}");
    }
}
