//! A server under systemd, with the unit that Andon brings: on a Debian machine of its own, deploying to another one.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use andon_testbed::deadline::wait_until;

use crate::project::LIMIT;
use crate::site::Site;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/systemd/andon.service");
const HOME: &str = "/var/lib/andon";

const LINE: &str = r#"service("www", hosts = group("web", ["web2"], user = "deploy", sudo = True), release = directory("dist"),
    run = process(exec = "{release}/www", stop_timeout = "2s"), tests = [script("smoke.sh", timeout = "60s")],
    rollout = rollout(bake = "0s", min_healthy_time = "0s", healthy_deadline = "20s", min_available = 0))
"#;

/// Puts a file of this machine on the server's machine.
fn put(site: &Site, from: &Path, to: &str, mode: &str) {
    let ran = Command::new("ssh")
        .arg("-F")
        .arg(site.fleet.ssh_config())
        .args(["-l", "root", "web1", &format!("mkdir -p $(dirname {to}) && cat > {to} && chmod {mode} {to}")])
        .stdin(File::open(from).unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(ran.success(), "{to}");
}

fn write(site: &Site, name: &str, text: &str, to: &str, mode: &str) {
    site.project.write(name, text);
    put(site, &site.project.path().join(name), to, mode);
}

fn install(site: &Site) {
    let server = site.machine("web1");
    server
        .output(&format!("useradd --system --create-home --home-dir {HOME} --shell /usr/sbin/nologin andon"))
        .unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_andon"));
    put(site, program, "/usr/bin/andon", "755");
    let agents = std::fs::read_dir(program.parent().unwrap()).unwrap().flatten();
    let is_agent = |name: &str| name.starts_with("andon-agent-") && name.ends_with(".gz");
    for agent in agents.filter(|file| is_agent(&file.file_name().to_string_lossy())) {
        let to = format!("/usr/bin/{}", agent.file_name().to_string_lossy());
        put(site, &agent.path(), &to, "644");
    }
    put(site, Path::new(UNIT), "/etc/systemd/system/andon.service", "644");
    write(site, "line.star", LINE, "/srv/line/line.star", "644");
    write(
        site,
        "smoke.sh",
        "#!/bin/sh\nuntil [ -e /tmp/gate ]; do sleep 0.1; done\n",
        "/srv/line/smoke.sh",
        "755",
    );
    write(site, "www", "#!/bin/sh\nexec sleep 100000\n", "/srv/line/dist/www", "755");
    let keys = site.fleet.ssh_config().parent().unwrap().to_owned();
    put(site, &keys.join("user_key"), &format!("{HOME}/.ssh/id_ed25519"), "600");
    // Here machines are called by their names.
    let mut known = std::fs::read_to_string(keys.join("known_hosts")).unwrap();
    for machine in site.fleet.machines() {
        known = known.replace(&format!("{} ", machine.address()), &format!("{} ", machine.name()));
    }
    write(site, "known_hosts", &known, &format!("{HOME}/.ssh/known_hosts"), "644");
    server
        .output(&format!("chown -R andon: {HOME} && systemctl daemon-reload && systemctl start andon"))
        .unwrap();
}

/// What a command says on the server's machine, as somebody who works there.
fn andon(site: &Site, words: &str) -> String {
    site.machine("web1").output(&format!("andon --server http://127.0.0.1:8420 {words} 2>&1")).unwrap()
}

fn until(site: &Site, what: &str, command: &str, wanted: impl Fn(&str) -> bool) {
    let mut last = String::new();
    let held = wait_until(LIMIT, || {
        last = site.machine("web1").output(&format!("{command} 2>&1 || true")).unwrap();
        wanted(&last)
    });
    let said = || {
        site.machine("web1").output("cat /tmp/deployed; journalctl -u andon -n 30 --no-pager 2>&1 || true")
    };
    assert!(held, "{what}: {last}\n{}", said().unwrap());
}

#[test]
#[ignore = "fleet: needs root; run by `cargo xtask test`"]
fn a_server_lives_under_systemd_and_its_deployments_outlive_it() {
    let site = Site::boot(2);
    install(&site);
    assert_eq!(site.unit("web1", "andon", "ActiveState"), "active", "it said that it was ready");
    until(&site, "it says how it stands", "systemctl show --property StatusText --value andon", |text| {
        text == "nothing is under way"
    });
    assert!(andon(&site, "line").contains("the line is running"));
    let begin = "nohup andon --server http://127.0.0.1:8420 deploy www > /tmp/deployed 2>&1 &";
    site.machine("web1").output(begin).unwrap();
    until(&site, "web2 is tested", "andon --server http://127.0.0.1:8420 show 1", |shown| {
        shown.contains("web2 verifying")
    });
    until(&site, "systemd hears of it", "systemctl show --property StatusText --value andon", |text| {
        text == "drives #1"
    });
    site.machine("web1").output("systemctl restart andon").unwrap();
    let pid = site.unit("web1", "andon", "MainPID");
    site.machine("web1").output(&format!("kill -9 {pid}")).unwrap();
    until(&site, "it is started again", "systemctl show --property MainPID --value andon", |now| {
        now != "0" && now != pid
    });
    site.machine("web2").output("touch /tmp/gate").unwrap();
    until(&site, "whoever followed it hears of its end", "cat /tmp/deployed", |told| {
        told.contains("#1 succeeded") && told.contains("1 host on r-")
    });
    site.machine("web1").output("systemctl reload andon").unwrap();
    until(&site, "it reads the line", "journalctl --unit andon --output cat", |log| {
        log.contains("the line was read again and says the same")
    });
    site.machine("web1").output("systemctl stop andon").unwrap();
    assert_eq!(site.unit("web1", "andon", "Result"), "success");
}
