//! WebSSH, a web application that nobody here wrote, on Tornado and with compiled dependencies, as PyPI has it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use andon_testbed::require;

use crate::project::{host_state, text};
use crate::site::{BRISK, INTERVAL, Site};

const PORT: u16 = 8888;
const UNITS: &[&str] = &["www@8888.service"];

/// What differs between two releases of the application, in files that it serves.
const SCRIPT: &str = "/static/js/main.js";

/// The packages of both releases, besides the application and Tornado.
const DEPENDENCIES: &[&str] = &[
    "paramiko==3.5.1",
    "cryptography==44.0.3",
    "bcrypt==4.3.0",
    "pynacl==1.5.0",
    "cffi==1.17.1",
    "pycparser==2.22",
];

fn write_line(site: &Site) {
    site.project.write(
        "line.star",
        &format!(
            r#"service("www",
    hosts = {hosts},
    release = directory("dist"),
    run = systemd(exec = "/usr/bin/python3 -m webssh.main --port={{port}}", ports = [{PORT}], user = "deploy",
                  environment = {{"PYTHONPATH": "{{release}}", "PYTHONDONTWRITEBYTECODE": "1"}}),
    health = health(http("/static/img/favicon.png"), {INTERVAL}),
    tests = [http("/", contains = "<title> WebSSH </title>", name = "the form is shown")],
    rollout = rollout({BRISK}))
"#,
            hosts = site.group("deploy"),
        ),
    );
}

/// Makes the release from packages, for the Python of the machines, which have no network.
fn download(site: &Site, application: &str, tornado: &str) {
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let python = site.machine("web1").output(&format!("python3 -c \"{version}\"")).unwrap();
    let dist = site.project.path().join("dist");
    let _ = fs::remove_dir_all(&dist);
    let pip = Command::new("pip3")
        .args(["install", "--quiet", "--no-deps", "--no-compile", "--python-version", &python])
        .arg("--target")
        .arg(&dist)
        .args([format!("webssh=={application}"), format!("tornado=={tornado}")])
        .args(DEPENDENCIES)
        .output()
        .unwrap();
    assert!(pip.status.success(), "pip failed: {}", String::from_utf8_lossy(&pip.stderr));
}

/// Every machine shows the form, serves the script of `dist/`, and runs `release` by every account.
#[track_caller]
fn all_serve(site: &Site, release: &str, script: &str) {
    site.run(&site.names(), UNITS, release);
    for host in site.names() {
        let form = site.get(host, PORT, "/").unwrap();
        assert_eq!(form.status, 200);
        assert!(form.body.contains("<title> WebSSH </title>"), "{host}: {}", form.body);
        assert!(site.get(host, PORT, SCRIPT).unwrap().body == script, "{host} serves another release");
    }
}

fn script_of(site: &Site) -> String {
    fs::read_to_string(site.project.path().join("dist/webssh").join(&SCRIPT[1..])).unwrap()
}

#[test]
#[ignore = "fleet: needs root and PyPI; run by `cargo xtask test`"]
fn a_tornado_application_from_pypi_is_deployed_upgraded_broken_and_restored() {
    require(&["pip3"]).unwrap();
    let site = Site::boot(3);
    write_line(&site);
    download(&site, "1.5.3", "6.2");
    let (old_script, old) = (script_of(&site), site.deploy());
    all_serve(&site, &old, &old_script);

    download(&site, "1.6.2", "6.4.2");
    let script = script_of(&site);
    assert!(script != old_script, "the two releases cannot be told apart");
    let (new, answers) = while_asking(&site, || site.deploy());
    println!("{answers}");
    assert!(answers.always_somewhere, "for a moment no machine showed the form: {answers}");
    all_serve(&site, &new, &script);

    fs::remove_file(site.project.path().join("dist/webssh/templates/index.html")).unwrap();
    let ran = site.project.run(&["deploy", "www"]).code(1);
    ran.says("was rolled back").says("the form is shown").says("500").says("2 hosts never touched");
    assert_eq!(host_state(&site.newest(), "web1"), "reverted");
    assert_eq!(text(&site.newest(), "state"), "rolled_back");
    all_serve(&site, &new, &script);
}

/// What came back while something else went on.
struct Answers {
    /// By second: how many requests were answered with the form, and how many were not.
    seconds: BTreeMap<u64, (u32, u32)>,
    /// Whether in each round some machine showed the form.
    always_somewhere: bool,
}

impl std::fmt::Display for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (second, (shown, missed)) in &self.seconds {
            writeln!(f, "second {second}: {shown} answered, {missed} not")?;
        }
        Ok(())
    }
}

/// Asks all machines for the form in turns, as fast as they answer, while `work` is done.
fn while_asking<T>(site: &Site, work: impl FnOnce() -> T) -> (T, Answers) {
    let hosts = site.names();
    let done = AtomicBool::new(false);
    let ask = || {
        let start = Instant::now();
        let mut answers = Answers { seconds: BTreeMap::new(), always_somewhere: true };
        while !done.load(Ordering::Relaxed) {
            let second = answers.seconds.entry(start.elapsed().as_secs()).or_default();
            let shown = hosts.iter().filter(|host| {
                site.get(host, PORT, "/")
                    .is_some_and(|page| page.status == 200 && page.body.contains("WebSSH"))
            });
            let shown = u32::try_from(shown.count()).unwrap();
            second.0 += shown;
            second.1 += u32::try_from(hosts.len()).unwrap() - shown;
            answers.always_somewhere &= shown > 0;
        }
        answers
    };
    thread::scope(|scope| {
        let asking = scope.spawn(ask);
        let stop = Stop(&done);
        let worked = work();
        drop(stop);
        (worked, asking.join().unwrap())
    })
}

/// Ends the asking, also when the work fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
