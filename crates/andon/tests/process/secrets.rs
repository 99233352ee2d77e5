//! Secrets of production tests: found before anything is touched, seen by one script, and by nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use andon_testbed::process;

use crate::machines::Machines;
use crate::project::{Project, QUICK, contains};

/// Unlike anything else on this machine, so that finding it anywhere means something.
fn value() -> String {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
    format!("hush/{}", random.map(|byte| format!("{byte:02x}")).concat())
}

const LINE: &str = r#"tests = [
    script("token.sh", secrets = {"SHOP_TOKEN": secret("shop-token")}, timeout = "60s"),
    script("plain.sh", timeout = "60s"),
]"#;

/// A project whose second test must not see what the first one gets. `token` is the script of the first.
fn with_line(project: &Project, hosts: &str, token: &str) {
    project.write("up.sh", "#!/bin/sh\nexit 0\n");
    project.write("token.sh", token);
    project.write("plain.sh", "#!/bin/sh\nenv\n[ -z \"$SHOP_TOKEN\" ]\n");
    project.write(
        "line.star",
        &format!(
            "service(\"www\", hosts = {hosts}, release = directory(\"dist\"), \
             run = process(exec = \"{{release}}/www\", stop_timeout = \"2s\"), \
             health = health(script(\"up.sh\"), interval = \"100ms\", in_a_row = 1), {LINE}, \
             rollout = rollout({QUICK}))\n"
        ),
    );
}

fn keep(project: &Project, value: &str) -> PathBuf {
    let path = project.data().join("secrets/shop-token");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("{value}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The processes, each with its parent, that have `value` in a file of theirs below `/proc`.
fn who_shows(file: &str, value: &str) -> Vec<(u32, u32)> {
    let shows = |process: &process::Process| {
        fs::read(format!("/proc/{}/{file}", process.pid)).is_ok_and(|text| contains(&text, value.as_bytes()))
    };
    process::all().into_iter().filter(shows).map(|process| (process.pid, process.parent)).collect()
}

/// Every file below `dir` that holds `value`, also where it is part of a larger one.
fn files_holding(dir: &Path, value: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            files_holding(&path, value, found);
        } else if kind.is_file() && fs::read(&path).is_ok_and(|text| contains(&text, value.as_bytes())) {
            found.push(path);
        }
    }
}

#[test]
fn a_secret_is_seen_by_one_script_alone_and_is_written_nowhere() {
    let machines = Machines::start(1);
    let project = machines.project(QUICK);
    let value = value();
    let kept = keep(&project, &value);
    let pid = project.path().join("pid");
    let token = format!(
        "#!/bin/sh\nprintf %s \"a$SHOP_TOKEN\" | base64\necho \"the token is $SHOP_TOKEN\"\necho $$ > '{}'\n{}",
        pid.display(),
        project.gate().replace("; exit 0", "\n[ -n \"$SHOP_TOKEN\" ] && ulimit -c | grep -qx 0\n"),
    );
    with_line(&project, &machines.group(), &token);
    let plan = project.run(&["plan", "www", "--json"]).code(0);
    plan.never_says(&value);
    let running = project.start(&["deploy", "www"]);
    project.until_told(1, "web1 verifying");
    assert!(andon_testbed::deadline::wait_until(crate::project::LIMIT, || {
        fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))
    }));
    // In the middle of the step the connection is cut: the step goes on, and nobody has to be told the secret again.
    machines.host("web1").sever();
    assert_eq!(who_shows("cmdline", &value), []);
    // The script, which is the only file of a probe that runs, and what it starts.
    let seers = who_shows("environ", &value);
    let scripts: Vec<u32> = who_shows("cmdline", "andon-probe-").into_iter().map(|(pid, _)| pid).collect();
    assert!(seers.iter().any(|(pid, _)| scripts.contains(pid)), "the script has it");
    for (seer, parent) in seers {
        assert!(scripts.contains(&seer) || scripts.contains(&parent), "{seer} sees the secret as well");
    }
    project.open_gate();
    running.end().code(0).never_says(&value).says("succeeded");

    // Hidden before it was stored.
    let mut found = Vec::new();
    files_holding(&machines.root("web1").join(".andon"), "the token is ***", &mut found);
    assert!(!found.is_empty(), "the script has said it");
    project.well(&["show", "1", "--log", "web1"]).never_says(&value);
    for words in [&["show", "1"][..], &["show", "1", "--json"], &["history", "--json"], &["status"]] {
        project.well(words).never_says(&value);
    }
    let mut found = Vec::new();
    files_holding(project.path(), &value, &mut found);
    files_holding(&machines.root("web1"), &value, &mut found);
    files_holding(&machines.host("web1").home(), &value, &mut found);
    assert_eq!(found, [kept], "only the file that it was written into holds it");
    let encoded = "aHVzaC"; // How base64 begins a text that begins with `hush`.
    let mut found = Vec::new();
    files_holding(&machines.root("web1").join(".andon"), encoded, &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn a_failing_test_that_prints_its_secret_does_not_give_it_away() {
    let project = Project::local(1);
    let value = value();
    keep(&project, &value);
    with_line(
        &project,
        "group(\"web\", [\"web1\"], local = True)",
        "#!/bin/sh\necho \"401 for $SHOP_TOKEN\" >&2\nexit 7\n",
    );
    project.run(&["deploy", "www"]).code(1).never_says(&value).says("401 for ***");
    let shown = project.run(&["show", "1", "--json"]);
    assert!(!shown.out.contains(&value) && shown.out.contains("401 for ***"), "{}", shown.out);
    let mut found = Vec::new();
    files_holding(&project.data(), &value, &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    project.run(&["test", "www"]).never_says(&value);
}

#[test]
fn a_secret_in_the_environment_of_the_controller_reaches_no_other_process() {
    let project = Project::local(1);
    let value = value();
    let pid = project.path().join("pid");
    with_line(
        &project,
        "group(\"web\", [\"web1\"], local = True)",
        &format!("#!/bin/sh\necho $$ > '{}'\n{}", pid.display(), project.gate()),
    );
    let mut deploy = project.command(&["deploy", "www"]);
    deploy.env("ANDON_SECRET_SHOP_TOKEN", &value);
    let running = project.start_command(deploy);
    assert!(andon_testbed::deadline::wait_until(crate::project::LIMIT, || {
        fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))
    }));
    let script: u32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    for (seer, parent) in who_shows("environ", &value) {
        let known = seer == running.pid() || seer == script || parent == script;
        assert!(known, "{seer} inherited the secret");
    }
    project.open_gate();
    running.end().code(0);
    assert_eq!(who_shows("environ", &value), [], "the service that was started has it");
}

#[test]
fn a_secret_that_is_not_there_is_a_refusal_before_anything_is_touched() {
    let project = Project::local(1);
    with_line(&project, "group(\"web\", [\"web1\"], local = True)", "#!/bin/sh\nexit 0\n");
    let refused = project.run(&["deploy", "www"]).code(3).says("nothing has been changed");
    refused.says("ANDON_SECRET_SHOP_TOKEN").says(".andon/secrets/shop-token");
    let kept = keep(&project, &value());
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).unwrap();
    project.run(&["plan", "www"]).code(3).says("chmod 600");
    keep(&project, "short");
    project.run(&["deploy", "www"]).code(3).says("could not be hidden");
    assert_eq!(project.recorded(), 0);
    assert!(!project.local_root("web1").join("releases").exists(), "the host was touched");
}

#[test]
fn who_goes_on_with_a_deployment_needs_its_secrets() {
    let project = Project::local(1);
    let kept = keep(&project, &value());
    let token = format!("#!/bin/sh\n{}", project.gate().replace("exit 0", "[ -n \"$SHOP_TOKEN\" ]"));
    with_line(&project, "group(\"web\", [\"web1\"], local = True)", &token);
    let running = project.start(&["deploy", "www"]);
    project.until_told(1, "web1 verifying");
    running.kill();
    let aside = kept.with_extension("aside");
    fs::rename(&kept, &aside).unwrap();
    let resume = ["resume", "1", "--take-over"];
    project.run(&resume).code(3).says("ANDON_SECRET_SHOP_TOKEN").says("nothing has been changed");
    fs::rename(&aside, &kept).unwrap();
    project.open_gate();
    project.well(&resume);
    assert_eq!(project.show(1)["state"], "succeeded");
}

#[test]
fn a_process_that_holds_a_secret_leaves_no_core_dump() {
    let project = Project::local(1);
    keep(&project, &value());
    // The script ends the worker that started it, which holds the secret as well.
    let token = "#!/bin/sh\nkill -ABRT $PPID\nsleep 5\n";
    with_line(&project, "group(\"web\", [\"web1\"], local = True)", token);
    let mut deploy = std::process::Command::new("/bin/sh");
    deploy.args(["-c", "ulimit -c unlimited; exec \"$0\" deploy www", env!("CARGO_BIN_EXE_andon")]);
    let ended = project.start_command(project.around(deploy)).end().code(1);
    ended.says("SIGABRT").never_says("core dumped");
}
