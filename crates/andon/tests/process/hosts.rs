//! Hosts that cannot be reached, cannot keep anything, or say too much: each is named with what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use andon_testbed::sshd::{KnownHosts, Sshd};

use crate::machines::Machines;
use crate::project::{QUICK, Ran, host_state};

/// The answer to a plan that no host can be had for; nothing is recorded.
#[track_caller]
fn refused(machines: &Machines) -> Ran {
    let project = machines.project(QUICK);
    let ran = project.run(&["deploy", "www"]).code(3).says("web1").says("nothing has been changed");
    assert_eq!(project.recorded(), 0);
    ran
}

#[test]
fn a_host_that_refuses_the_key_is_named_with_what_to_do() {
    let machines = Machines::with(Sshd::builder(1).refuse_key(), |_| String::new());
    refused(&machines).says("refused the login").says("public key").says("ssh -F ").says("web1 true");
}

#[test]
fn an_unknown_host_key_is_named_with_the_command_that_accepts_it() {
    let machines = Machines::with(Sshd::builder(1).known_hosts(KnownHosts::Missing), |_| String::new());
    refused(&machines).says("host key is not known").says("ssh -F ").says("web1 true");
}

#[test]
fn a_wrong_host_key_is_a_warning_and_not_an_invitation() {
    let machines = Machines::with(Sshd::builder(1).known_hosts(KnownHosts::Wrong), |_| String::new());
    refused(&machines).says("host key has changed").says("find out why before you trust it");
}

#[test]
fn a_host_without_space_is_refused_before_anything_is_sent() {
    let machines = Machines::with(Sshd::builder(2), |number| match number {
        2 => "mount -t tmpfs -o size=2m none /srv".to_owned(),
        _ => String::new(),
    });
    let project = machines.project(QUICK);
    project.write("dist/large", &"x".repeat(3 << 20));
    let ran =
        project.run(&["deploy", "www"]).code(3).says("web2").says("free").says("nothing has been changed");
    ran.never_says("web1 cannot");
    assert!(!machines.root("web1").join("releases").exists(), "the release was sent all the same");
    assert_eq!(project.recorded(), 0);
}

#[test]
fn a_host_without_sh_is_named() {
    let machines = Machines::with(Sshd::builder(1), |_| {
        "touch \"$PLACE/empty\" && chmod a-x \"$PLACE/empty\" && mount --bind \"$PLACE/empty\" \"$(readlink -f /bin/sh)\""
            .to_owned()
    });
    refused(&machines).says("/bin/sh");
}

#[test]
fn a_login_shell_that_does_nothing_is_named() {
    let machines = Machines::with(Sshd::builder(1), |_| {
        "mount --bind \"$(readlink -f /bin/true)\" \"$(readlink -f /bin/bash)\"".to_owned()
    });
    refused(&machines).says("login shell");
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let machines = Machines::with(Sshd::builder(1), |_| {
        "mount --bind \"$HOME\" \"$HOME\" && mount -o remount,ro,bind \"$HOME\"".to_owned()
    });
    refused(&machines).says("the agent cannot be kept there").says("Read-only file system");
}

#[test]
fn a_machine_of_another_kind_is_named_with_what_is_missing() {
    let machines = Machines::with(Sshd::builder(1), |_| {
        "printf '#!/bin/sh\\necho riscv64\\n' > \"$PLACE/uname\" && chmod +x \"$PLACE/uname\" \
         && mount --bind \"$PLACE/uname\" /usr/bin/uname"
            .to_owned()
    });
    refused(&machines).says("no agent for riscv64").says("cargo xtask agent");
}

#[test]
fn a_banner_and_a_talkative_login_do_no_harm() {
    let machines = Machines::with(Sshd::builder(2).banner("Authorised people only\n"), |_| {
        "printf 'echo hello from bashrc; echo oops >&2\\n' > \"$HOME/.bashrc\"".to_owned()
    });
    let heard = machines.sshd.ssh("web1", "true").unwrap();
    assert!(String::from_utf8_lossy(&heard.stdout).contains("hello from bashrc"), "{heard:?}");
    let project = machines.project(QUICK);
    project.well(&["deploy", "www"]);
    assert_eq!(machines.running("web1").len(), 1);
}

#[test]
fn one_unreachable_host_is_borne_two_are_not() {
    let machines = Machines::start(4);
    let project = machines.project(&format!("{QUICK}, max_unreachable = 1"));
    machines.host("web2").stop();
    machines.host("web4").stop();
    let ran =
        project.run(&["deploy", "www"]).code(3).says("web2 and web4 cannot be reached, and 1 may be missing");
    ran.says("connection refused").says("max_unreachable");
    assert_eq!(project.recorded(), 0);
    machines.host("web2").restart().unwrap();
    project.well(&["deploy", "www"]).says("web4").says("unreachable");
    let shown = project.show(1);
    assert_eq!(host_state(&shown, "web4"), "unreachable");
    assert!(machines.running("web4").is_empty());
    // Back again, it is brought up by the same words, and nobody else is disturbed.
    machines.host("web4").restart().unwrap();
    let before = machines.processes("web1");
    project.well(&["deploy", "www"]);
    assert_eq!(machines.running("web4"), machines.running("web1"));
    assert_eq!(machines.processes("web1"), before);
}

#[test]
fn a_root_that_belongs_to_something_else_is_an_obstacle() {
    let machines = Machines::start(1);
    fs::write(machines.root("web1"), "a file").unwrap();
    refused(&machines).says("/srv/www is not a directory");
}

#[test]
fn a_damaged_agent_on_a_host_is_replaced() {
    let machines = Machines::start(1);
    let project = machines.project(QUICK);
    project.well(&["plan", "www"]);
    let (name, _) = machines.agents("web1").remove(0);
    let path = machines.host("web1").home().join(".cache/andon").join(name);
    // What a power cut may leave: nothing, or a part.
    let whole = fs::read(&path).unwrap();
    for left in [0, whole.len() / 2] {
        // A running agent's own file cannot be written to; another one takes its name.
        let aside = path.with_extension("aside");
        fs::write(&aside, &whole[..left]).unwrap();
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&aside, &path).unwrap();
        project.run(&["status", "www"]).says("web1").never_says("unreachable");
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

/// A `sudo` in front of all others, as it behaves when it is called with `-n`.
fn with_sudo(script: &str) -> Machines {
    let sudo = format!(
        "mount -t tmpfs none /usr/local/bin && echo '{script}' > /usr/local/bin/sudo && chmod +x /usr/local/bin/sudo"
    );
    Machines::with(Sshd::builder(1), |_| format!("PATH=/usr/bin:/bin; {sudo}"))
}

#[test]
fn a_sudo_that_asks_for_a_password_is_named_with_the_way_out() {
    let machines = with_sudo("#!/bin/sh\necho \"sudo: a password is required\" >&2; exit 1");
    let project = machines.project(QUICK);
    project.write_line("group(\"web\", [\"web1\"], sudo = True)", QUICK, "");
    project.run(&["deploy", "www"]).code(3).says("sudo").says("NOPASSWD").says("nothing has been changed");
}

#[test]
fn a_sudo_that_asks_for_nothing_is_used() {
    let machines = with_sudo("#!/bin/sh\n[ \"$1\" = -n ] && shift && : > /srv/by-sudo && exec \"$@\"");
    let project = machines.project(QUICK);
    project.write_line("group(\"web\", [\"web1\"], sudo = True)", QUICK, "");
    project.well(&["deploy", "www"]);
    assert!(machines.root("web1").with_file_name("by-sudo").exists(), "sudo was passed by");
}
