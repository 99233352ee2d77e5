//! What lies on disks is for one user alone, whatever the umask was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::{Project, Ran};

/// Runs the program under an umask that takes nothing away.
fn openly(project: &Project, words: &str) -> Ran {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("umask 000; exec \"$0\" {words}"), env!("CARGO_BIN_EXE_andon")]);
    project.start_command(project.around(shell)).end()
}

/// Everything below `dir`, itself included, that its group or others have any right to.
fn open_to_others(dir: &Path, found: &mut Vec<PathBuf>) {
    let about = fs::symlink_metadata(dir).unwrap();
    if about.mode() & 0o077 != 0 && !about.is_symlink() {
        found.push(dir.to_owned());
    }
    if about.is_dir() {
        fs::read_dir(dir).unwrap().for_each(|entry| open_to_others(&entry.unwrap().path(), found));
    }
}

#[test]
fn the_agents_own_directory_is_closed_whatever_the_umask() {
    let project = Project::local(1);
    project.release("one", "echo said; exit 0");
    openly(&project, "deploy www").code(0);
    project.release("two", "echo no; exit 1");
    openly(&project, "deploy www").code(1);
    let own = project.local_root("web1").join(".andon");
    assert!(own.join("steps").read_dir().unwrap().count() > 3, "there is something to look at");
    let mut found = Vec::new();
    open_to_others(&own, &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
    // Opened by somebody, it is closed again by the next step.
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
    project.release("three", "exit 0");
    openly(&project, "deploy www --fixes 2").code(0);
    assert_eq!(own.metadata().unwrap().mode() & 0o777, 0o700);
}

#[test]
fn the_controllers_data_is_closed_whatever_the_umask() {
    let project = Project::local(1);
    openly(&project, "deploy www").code(0);
    assert_eq!(project.data().metadata().unwrap().mode() & 0o777, 0o700);
    // In a directory that somebody else made, and opened to everybody, what Andon makes is closed all the same.
    let shared = project.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    openly(&project, "deploy www --data shared").code(0);
    let entries: Vec<_> = fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(entries.len() >= 4, "{entries:?}");
    for entry in entries {
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
    }
}
