//! Signed releases: what the line asks for is there before any host is touched.

use std::fs;
use std::process::{Command, Stdio};

use andon_testbed::require;

use crate::project::{Project, QUICK, local_hosts};

fn minisign(project: &Project, words: &[&str]) {
    let mut command = Command::new("minisign");
    let ran = command.args(words).current_dir(project.path()).stdin(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{words:?}: {ran:?}");
}

/// Packs what `Project::release` has made.
fn pack(project: &Project) {
    let mut tar = Command::new("tar");
    let packed = tar.args(["-czf", "www.tar.gz", "-C", "dist", "."]).current_dir(project.path()).status();
    assert!(packed.unwrap().success());
}

/// A project whose line asks for the key `ana`; the key's id, too.
fn asking() -> (Project, String) {
    require(&["minisign", "tar"]).unwrap();
    let project = Project::new();
    for name in ["ana", "eve"] {
        minisign(&project, &["-G", "-W", "-p", &format!("{name}.pub"), "-s", &format!("{name}.key")]);
    }
    let public = fs::read_to_string(project.path().join("ana.pub")).unwrap();
    let (comment, key) = public.trim_end().split_once('\n').unwrap();
    project.write_line(&local_hosts(1), QUICK, "");
    let line = fs::read_to_string(project.path().join("line.star")).unwrap();
    let signed = format!("archive(\"www.tar.gz\", signed_by = [\"{key}\"])");
    project.write("line.star", &line.replace("directory(\"dist\")", &signed));
    project.release("one", "exit 0");
    pack(&project);
    (project, comment.rsplit(' ').next().unwrap().to_owned())
}

#[test]
fn a_release_is_deployed_once_it_is_signed_by_a_key_of_the_line() {
    let (project, id) = asking();
    project.run(&["deploy", "www"]).code(3).says("it is not signed").says("nothing has been changed");
    minisign(&project, &["-S", "-s", "eve.key", "-m", "www.tar.gz"]);
    project.run(&["deploy", "www"]).code(3).says("a key that the line does not name").says(&id);
    assert_eq!(project.recorded(), 0);
    assert!(!project.local_root("web1").exists(), "the host was touched");
    minisign(&project, &["-S", "-s", "ana.key", "-m", "www.tar.gz", "-t", "build \u{1b}[31m812"]);
    project.well(&["plan", "www"]).says(&id).says("build \\x1b[31m812");
    project.well(&["deploy", "www"]);
    project.well(&["show", "1"]).says(&id).says("812");
}

#[test]
fn a_changed_release_is_refused_and_an_earlier_one_can_be_gone_back_to() {
    let (project, _) = asking();
    minisign(&project, &["-S", "-s", "ana.key", "-m", "www.tar.gz"]);
    project.well(&["deploy", "www"]);
    project.release("two", "exit 0");
    pack(&project);
    project.run(&["deploy", "www"]).code(3).says("the signature is not of this file");
    minisign(&project, &["-S", "-s", "ana.key", "-m", "www.tar.gz"]);
    project.well(&["deploy", "www"]);
    // It was verified when it was taken in; its file and its signature are long gone.
    fs::remove_file(project.path().join("www.tar.gz.minisig")).unwrap();
    project.well(&["rollback", "www"]).says("#3 rolled back as asked");
}
