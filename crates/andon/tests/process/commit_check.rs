//! The commit check, as people meet it who push: real pushes into real repositories, over paths and over ssh.

use std::fs;

use andon_testbed::sshd::Sshd;

use crate::project::{Project, text};
use crate::pushes::Pushes;

/// The newest change of the line.
fn newest(project: &Project) -> serde_json::Value {
    project.json(&["line"])["changes"][0].clone()
}

#[test]
fn while_the_line_is_stopped_a_push_is_refused_unless_it_declares_that_it_mends_it() {
    let project = Project::local(1);
    let pushes = Pushes::checked(&project, &["--branch", "main", "--branch", "release/*"]);
    project.well(&["line"]);
    pushes.commit("web: while it runs");
    pushes.push(&["main"]).taken().never_says("andon");

    project.well(&["line", "stop", "orders fell\u{1b}[2J by half"]);
    pushes.commit("web: a change like others");
    let refused = pushes.push(&["main"]).refused();
    let refused = refused.says("the line is stopped by ana ").says(": orders fell\\x1b[2J by half");
    let refused = refused.says("nothing goes into main meanwhile").says("your commits are safe");
    refused
        .says("git push -o andon.fix=")
        .says("Andon-Fixes: #128")
        .says("andon line start")
        .never_says("\u{1b}[2J");
    pushes.push(&["main:topic"]).taken();
    pushes.push(&["main:refs/tags/v1"]).taken();
    pushes.push(&["main:release/1"]).refused().says("nothing goes into release/1");
    pushes.push(&["--delete", "main"]).refused().says("the line is stopped");

    pushes.commit("web: mend the orders\n\nThey fell.\n\nAndon-Fixes: #7 orders\nSigned-off-by: Eva");
    pushes.push(&["main"]).taken().says("taken into refs/heads/main as a declared fix: #7 orders");
    let passed = newest(&project)["what"]["passed"].clone();
    assert_eq!(text(&passed, "why"), "#7 orders");
    assert_eq!(text(&passed, "by"), "Eva (as ana)");
    assert_eq!(text(&passed["what"]["push"], "reference"), "refs/heads/main");
    let head = pushes.git(&["rev-parse", "HEAD"]);
    assert!(head.starts_with(text(&passed["what"]["push"], "commit")));

    pushes.commit("web: and one more");
    pushes.push(&["--push-option=andon.fix=", "main"]).refused();
    pushes.push(&["--push-option=ci.skip", "main"]).refused();
    pushes.push(&["--push-option=ci.skip", "--push-option=andon.fix=the rest of it", "main"]).taken();
    assert_eq!(text(&newest(&project)["what"]["passed"], "why"), "the rest of it");
    // A declaration in the middle of a message is none.
    pushes.commit("web: talk\n\nAndon-Fixes: #7\n\nwas the trailer of the commit before.");
    pushes.push(&["main"]).refused();

    project.well(&["line", "start", "it was the provider"]);
    pushes.push(&["main"]).taken();
    pushes.push(&["main:release/1"]).taken();
    project.well(&["ledger", "verify"]).says("none changed");
}

#[test]
fn a_push_over_ssh_is_told_the_same() {
    let sshd = Sshd::start(1).unwrap();
    let project = Project::local(1);
    let mut pushes = Pushes::checked(&project, &[]);
    pushes.ssh = Some(format!("ssh -F '{}'", sshd.ssh_config().display()));
    pushes.remote = format!("{}:", sshd.hosts()[0].name());
    pushes.commit("web: while it runs");
    pushes.push(&["main"]).taken();
    project.well(&["line", "stop", "orders fell"]);
    pushes.commit("web: another");
    pushes.push(&["main"]).refused().says("remote: error: the line is stopped by ana ").says(": orders fell");
    pushes.push(&["--push-option=andon.fix=orders", "main"]).taken().says("as a declared fix: orders");
    assert_eq!(text(&newest(&project)["what"]["passed"], "why"), "orders");
    assert!(sshd.hosts()[0].logins() >= 3);
}

#[test]
fn commits_are_held_against_the_settings_of_the_repository() {
    let project = Project::new();
    let pushes = Pushes::checked(&project, &[]);
    let rules = "pattern = '^[a-z]+: '\nmin_subject = 8\nmax_subject = 50\nrequire_trailers = [\"Reviewed-by\"]\nforbid = [\"WIP\", \"fixup!\"]\n";
    pushes.settings("# pattern = '^[a-z]+: ' ", &format!("{rules}#"));
    pushes.settings("# max_size = \"5 MiB\"", "max_size = \"64 KiB\"");
    pushes.commit("wip");
    let refused = pushes.push(&["main"]).refused().says("\"wip\": its subject begins with \"WIP\"");
    let refused = refused.says("has 3 characters, at least 8").says("does not match ^[a-z]+: ");
    refused.says("it has no trailer Reviewed-by").says("git rebase -i");
    // By way of a branch that nobody checks, they come no further.
    pushes.push(&["main:topic"]).taken();
    pushes.push(&["main"]).refused().says("its subject begins with");
    pushes.push(&["main:refs/heads/main2"]).taken();

    let good = "web: as it should be\n\nReviewed-by: Ben";
    pushes.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    pushes.commit(good);
    pushes.push(&["main"]).taken();
    // What a terminal or a careless reader would act upon does no harm, in whatever encoding.
    let tree = pushes.git(&["rev-parse", "HEAD^{tree}"]);
    let message = b"caf\xe9 \x1b[31mred\x1b[0m \xff\n\nReviewed-by: Ben\n";
    let odd = pushes.git_with(&["commit-tree", &tree, "-p", "HEAD"], message);
    let refused = pushes.push(&[&format!("{odd}:main")]).refused().says("does not match");
    refused.says("\\x1b[31mred").never_says("\u{1b}[31m");

    let large = pushes.clone().join("large");
    fs::write(&large, vec![b'x'; 70 << 10]).unwrap();
    pushes.git(&["add", "large"]);
    pushes.commit(good);
    fs::remove_file(&large).unwrap();
    pushes.git(&["rm", "--quiet", "--cached", "large"]);
    pushes.commit(good);
    let refused = pushes.push(&["main"]).refused().says("large has 70 KiB").says("at most 64 KiB may be");
    refused.says("for ever");
    pushes.settings("max_size = \"64 KiB\"", "max_size = \"1 MiB\"");
    pushes.push(&["main"]).taken();

    pushes.settings("branches = ", "brunches = ");
    pushes.commit(good);
    pushes.push(&["main"]).refused().says("andon.toml cannot be understood").says("brunches");
}

#[test]
fn a_huge_push_is_bounded_and_says_how_it_goes_in_parts() {
    let project = Project::new();
    let pushes = Pushes::checked(&project, &[]);
    let mut stream = String::new();
    for number in 0..2500 {
        let message = format!("web: number {number}");
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        stream += &format!(
            "commit refs/heads/many\ncommitter Eva <eva@example.com> {number} +0000\ndata {}\n{message}\n{from}\n",
            message.len()
        );
    }
    pushes.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    pushes.settings("# min_subject = 8", "min_subject = 8");
    let refused = pushes.push(&["many:main"]).refused().says("more than 2000 commits to main");
    refused.says("git push origin COMMIT:main");
    pushes.push(&["many~1000:main"]).taken();
    pushes.push(&["many:main"]).taken();
    // Where nothing is asked of messages nobody has to read them.
    pushes.settings("min_subject = 8", "# min_subject = 8");
    pushes.push(&["--force", "main:main"]).taken();
    pushes.push(&["many:main"]).taken();
}

#[test]
fn when_the_ledger_cannot_be_read_the_configured_side_is_followed() {
    let project = Project::local(1);
    let pushes = Pushes::checked(&project, &[]);
    project.well(&["line"]);
    fs::rename(project.data(), project.path().join("away")).unwrap();
    pushes.commit("web: a change");
    let refused =
        pushes.push(&["main"]).refused().says("nobody can say whether the line runs").says("ledger.db");
    refused.says("when_unreachable = \"open\"").says("your commits are safe");
    pushes.push(&["main:topic"]).taken();
    project.run(&["hook", "status", "the www.git"]).code(1).says("nobody can say");
    pushes.settings("when_unreachable = \"closed\"", "when_unreachable = \"open\"");
    pushes.push(&["main"]).taken().says("nobody can say whether the line runs").says("lets pushes pass");
    assert!(!project.data().exists(), "a hook makes no ledger");
    fs::create_dir(project.data()).unwrap();
    fs::write(project.data().join("ledger.db"), "a letter to my aunt\n".repeat(400)).unwrap();
    pushes.commit("web: another");
    pushes.push(&["main"]).taken().says("nobody can say");
    fs::remove_dir_all(project.data()).unwrap();
    fs::rename(project.path().join("away"), project.data()).unwrap();
    pushes.commit("web: one more");
    pushes.push(&["main"]).taken().never_says("andon");
}

#[test]
fn a_check_is_installed_beside_nothing_that_is_not_its_own_and_leaves_without_a_trace() {
    let project = Project::new();
    let pushes = Pushes::new(&project);
    let hooks = pushes.repository().join("hooks");
    let theirs = "#!/bin/sh\necho theirs\n";
    fs::write(hooks.join("post-receive"), theirs).unwrap();
    let install = ["hook", "install", "the www.git", "--data", ".andon"];
    project.run(&install).code(3).says("post-receive is there already").says("nothing has been changed");
    assert_eq!(fs::read_to_string(hooks.join("post-receive")).unwrap(), theirs);
    assert!(!hooks.join("pre-receive").exists() && !pushes.repository().join("andon.toml").exists());
    project.run(&["hook", "status", "the www.git"]).code(1).says("not from andon").says("missing");
    fs::remove_file(hooks.join("post-receive")).unwrap();

    project.run(&["hook", "install", "home", "--data", ".andon"]).code(2).says("no repository");
    project.run(&["hook", "install", "the www.git"]).code(2).says("line.star");
    project.run(&["hook", "install", "the www.git", "--server", "ftp://x"]).code(2).says("http://");
    project.well(&install).says("andon.toml");
    project
        .well(&["hook", "status", "the www.git"])
        .says("installed")
        .says("main")
        .says("the line is running");
    pushes.settings("branches = [\"main\"]", "branches = [\"trunk\"]");
    project.well(&install).says("settings from before are kept");
    project.well(&["hook", "status", "the www.git"]).says("trunk");

    let settings = pushes.repository().join("andon.toml");
    for (side, taken) in [("closed", false), ("open", true)] {
        let hook = fs::read_to_string(hooks.join("pre-receive")).unwrap();
        let gone = hook.replace(env!("CARGO_BIN_EXE_andon"), "/nowhere/andon");
        fs::write(hooks.join("pre-receive"), gone).unwrap();
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(
            &settings,
            text.replace("when_unreachable = \"closed\"", &format!("when_unreachable = \"{side}\"")),
        )
        .unwrap();
        pushes.commit("web: without the program");
        let pushed = pushes.push(&["main"]).says("the program of the commit check is gone");
        assert_eq!(pushed.taken, taken, "{side}: {}", pushed.said);
    }
    project.well(&["hook", "uninstall", "the www.git"]).says("andon.toml stays");
    assert!(!hooks.join("pre-receive").exists() && !hooks.join("post-receive").exists());
    pushes.push(&["main"]).taken();
    project.well(&["hook", "uninstall", "the www.git"]).says("has no commit check");
}

#[test]
fn a_commit_asks_for_a_deployment_and_gets_one_that_outlives_the_push() {
    let project = Project::local(2);
    let deploy = ["--line", "line.star", "--deploy", "www/production"];
    let pushes = Pushes::checked(&project, &deploy);
    project.release("one", &project.gate());
    pushes.commit("web: the first\n\nAndon-Deploy: www production");
    pushes.push(&["main:topic"]).taken().never_says("deploys");
    let pushed = pushes.push(&["main"]).taken().says("#1 deploys www/production; its log: ");
    let log = pushed.said.split("its log: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_ne!(text(&project.show(1), "state"), "succeeded", "the push was held up by the deployment");
    project.open_gate();
    let shown = project.until_shown(1, "it has ended", |shown| !shown["ended"].is_null());
    assert_eq!((text(&shown, "state"), text(&shown, "by")), ("succeeded", "Eva (as ana)"));
    assert!(
        text(&shown, "why").starts_with("push of ")
            && text(&shown, "why").ends_with("to main: web: the first")
    );
    assert!(fs::read_to_string(log).unwrap().contains("#1 www"));

    pushes.commit("web: no\n\nAndon-Deploy: shop production");
    pushes
        .push(&["main"])
        .taken()
        .says("\"Andon-Deploy: shop production\": [deploy] in andon.toml does not allow it");
    pushes.commit("web: no\n\nAndon-Deploy: --take-over ../x");
    pushes.push(&["main"]).taken().says("names no service");
    pushes.commit("web: the same again\n\nAndon-Deploy: www/production");
    pushes.push(&["main"]).taken().says("www/production is not deployed").says("already");

    project.release("two", "exit 1");
    project.run(&["deploy", "www"]).code(1);
    let number = project.recorded() as u64 + 1;
    project.release("three", "exit 0");
    pushes.commit("web: asks without mending\n\nAndon-Deploy: www production");
    pushes.push(&["main"]).refused().says("the line is stopped");
    pushes.commit(&format!("web: mend it\n\nAndon-Fixes: #{}\nAndon-Deploy: www production", number - 1));
    pushes
        .push(&["main"])
        .taken()
        .says("as a declared fix")
        .says(&format!("#{number} deploys www/production"));
    let shown = project.until_shown(number, "it has ended", |shown| !shown["ended"].is_null());
    assert_eq!(text(&shown, "state"), "succeeded");
    project.well(&["line"]).says("fixed what");
}
