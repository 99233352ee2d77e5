//! Releases on disk: complete or absent, switched in one step, removed only when nobody needs them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command};

use andon_api::agent::{ArtifactState, Refusal};
use andon_core::host::{Outcome, Step, TokenStatus};
use andon_core::line::{Supervision, Template};
use andon_core::quantity::ByteSize;
use andon_core::release::{Packing, Release};

use super::driver::{Seen, Session};
use super::service::{Site, authority, release_of};

fn reason(seen: &Seen) -> &str {
    match &seen.status {
        TokenStatus::Finished(Outcome::Failed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Brings bytes to the host as they are and prepares them.
fn prepare(site: &Site, bytes: &[u8], release: &Release) -> Seen {
    let mut session = Session::open();
    assert_eq!(session.upload(&site.placement, &authority(1), bytes), Ok(ArtifactState::Present));
    session.carry_out(&site.prepare(release)).unwrap()
}

fn names(site: &Site, below: &str) -> Vec<String> {
    let entries = fs::read_dir(site.path(below)).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_release_is_prepared_activated_and_verified() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.run(&mut session, "one");
    let facts = session.probe(&site.placement, &[]);
    assert_eq!(facts.uniform_release(), Some(&release.id));
    assert!(facts.serves(), "{:?}", facts.instances);
    assert_eq!(facts.marker.map(|marker| (marker.release, marker.complete)), Some((release.id, true)));

    let next = site.run(&mut session, "two");
    let facts = session.probe(&site.placement, &[]);
    assert_eq!(facts.uniform_release(), Some(&next.id));
    assert_eq!(facts.current, Some(next.id));
}

#[test]
fn an_activation_that_fails_is_marked_as_incomplete() {
    let mut site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let missing = Template::new("{release}/missing").unwrap();
    site.placement.run.by = Supervision::Own { command: vec![missing] };
    let seen = session.carry_out(&site.activate(&release)).unwrap();
    assert!(String::from_utf8_lossy(&seen.output).contains(&format!("current -> releases/{}", release.id)));
    assert!(!reason(&seen).is_empty());
    let marker = session.probe(&site.placement, &[]).marker.unwrap();
    assert_eq!((marker.release, marker.complete), (release.id, false));
}

#[test]
fn a_truncated_archive_leaves_nothing_behind() {
    let site = Site::new();
    let (bytes, release) = site.release("1");
    let cut = &bytes[..bytes.len() / 2];
    let seen = prepare(&site, cut, &release_of(cut, release.packing, release.unpacked));
    assert!(reason(&seen).contains("cut off"), "{}", reason(&seen));
    assert_eq!(names(&site, "releases"), Vec::<String>::new());
}

#[test]
fn an_archive_that_leads_out_of_the_release_is_refused() {
    let site = Site::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_old();
    header.as_old_mut().name[..12].copy_from_slice(b"../../pwned\0");
    header.set_size(4);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    builder.append(&header, &b"evil"[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let seen = prepare(&site, &bytes, &release_of(&bytes, Packing::Tar, ByteSize(1 << 20)));
    assert!(reason(&seen).contains("pwned"), "{}", reason(&seen));
    assert_eq!(names(&site, "releases"), Vec::<String>::new());
    assert!(!site.path("pwned").exists());
}

#[test]
fn a_release_that_holds_more_than_it_claims_is_refused() {
    let site = Site::new();
    let content = site.trace("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("zeros"), vec![0; 8 << 20]).unwrap();
    let (bytes, mut release) = site.packed(&content);
    release.unpacked = ByteSize(1 << 20);
    prepare(&site, &bytes, &release);
    assert_eq!(names(&site, "releases"), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_found_before_anything_is_unpacked() {
    let site = Site::new();
    let (bytes, mut release) = site.release("1");
    release.unpacked = ByteSize(1 << 60);
    let seen = prepare(&site, &bytes, &release);
    assert!(reason(&seen).contains("free in"), "{}", reason(&seen));
    assert!(reason(&seen).contains("1048576 TiB are needed"), "{}", reason(&seen));
}

/// A file system of its own, for tests that run as root.
struct Tmpfs<'a>(&'a Site);

impl<'a> Tmpfs<'a> {
    fn new(site: &'a Site, options: &str) -> Option<Self> {
        fs::create_dir_all(&site.placement.root).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "andon-test"]).arg(&site.placement.root);
        let mounted = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self(site))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0.placement.root).status();
    }
}

#[test]
fn a_small_disk_that_fills_up_fails_the_step_and_keeps_its_result() {
    let site = Site::new();
    let Some(_disk) = Tmpfs::new(&site, "size=4m") else {
        eprintln!("skipped: only root can mount a small file system");
        return;
    };
    let content = site.trace("content");
    fs::create_dir(&content).unwrap();
    fs::write(content.join("zeros"), vec![0; 16 << 20]).unwrap();
    let (bytes, mut release) = site.packed(&content);
    let seen = prepare(&site, &bytes, &release);
    assert!(
        reason(&seen).contains("MiB free in") && reason(&seen).contains("17 MiB are needed"),
        "{}",
        reason(&seen)
    );
    // And a release that lies about its size meets the real end of the disk, or its own claim.
    release.unpacked = ByteSize(2 << 20);
    let seen = Session::open().carry_out(&site.prepare(&release)).unwrap();
    assert!(!reason(&seen).is_empty());
    assert_eq!(names(&site, "releases"), Vec::<String>::new());
}

#[test]
fn a_read_only_root_is_an_obstacle_and_refuses_orders() {
    let site = Site::new();
    let Some(disk) = Tmpfs::new(&site, "size=4m,ro") else {
        eprintln!("skipped: only root can mount a read-only file system");
        return;
    };
    let mut session = Session::open();
    let facts = session.probe(&site.placement, &[]);
    assert!(facts.obstacles.iter().any(|told| told.contains("read-only")), "{:?}", facts.obstacles);
    let (_, release) = site.release("1");
    let refused = session.carry_out(&site.prepare(&release)).unwrap_err();
    assert!(matches!(&refused, Refusal::Storage(told) if told.contains("Read-only")), "{refused:?}");
    drop(disk);
}

#[test]
fn preparing_twice_is_the_same_as_once() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    let seen = session.carry_out(&site.prepare(&release)).unwrap();
    assert_eq!(seen.status, TokenStatus::Finished(Outcome::Succeeded));
    assert_eq!(session.probe(&site.placement, &[]).releases, [release.id]);
}

/// A process that works in a directory.
struct Sitter(Child);

impl Sitter {
    fn new(place: &Path) -> Self {
        Self(Command::new("sleep").arg("600").current_dir(place).spawn().unwrap())
    }
}

impl Drop for Sitter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn only_what_nobody_needs_is_removed() {
    let site = Site::new();
    let mut session = Session::open();
    let running = site.run(&mut session, "running");
    let old = site.bring(&mut session, "old");
    fs::create_dir(site.path("releases/20240131-by-hand")).unwrap();
    fs::create_dir(site.path("releases/r-0123456789ab")).unwrap();
    fs::create_dir_all(site.path("releases/.andon-new-r-ba9876543210/half")).unwrap();
    let keep = vec![old.id.clone()];
    let mut bring = |version: &str| {
        let (bytes, release) = site.release(version);
        session.upload(&site.placement, &authority(1), &bytes).unwrap();
        let order = site.order(Step::Prepare { release: release.clone(), keep: keep.clone() });
        assert_eq!(session.carry_out(&order).unwrap().status, TokenStatus::Finished(Outcome::Succeeded));
        release
    };
    let used = bring("used");
    let sitter = Sitter::new(&site.path("releases").join(used.id.as_str()));
    let kept_only = bring("kept");
    let mut expected = vec![running.id.clone(), old.id, used.id, kept_only.id.clone()];
    expected.sort();
    assert_eq!(session.probe(&site.placement, &[]).releases, expected);

    drop(sitter);
    let order = site.order(Step::Prepare { release: kept_only.clone(), keep: vec![] });
    session.carry_out(&order).unwrap();
    let mut expected = vec![running.id, kept_only.id];
    expected.sort();
    assert_eq!(session.probe(&site.placement, &[]).releases, expected);
    let left = names(&site, "releases");
    assert!(left.contains(&"20240131-by-hand".to_owned()) && left.contains(&"r-0123456789ab".to_owned()));
    assert!(!left.iter().any(|name| name.starts_with('.')), "{left:?}");
}

#[test]
fn a_directory_under_the_name_of_a_release_is_neither_used_nor_removed() {
    let site = Site::new();
    let (bytes, release) = site.release("1");
    let foreign = site.path("releases").join(release.id.as_str());
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("precious"), "data").unwrap();
    let seen = prepare(&site, &bytes, &release);
    assert!(reason(&seen).contains("is in the way"), "{}", reason(&seen));
    assert!(foreign.join("precious").exists());
    let seen = Session::open().carry_out(&site.activate(&release)).unwrap();
    assert!(reason(&seen).contains("not unpacked"), "{}", reason(&seen));
}

#[test]
fn current_is_switched_when_it_is_a_link_and_left_alone_when_it_is_a_directory() {
    let site = Site::new();
    let mut session = Session::open();
    let release = site.bring(&mut session, "1");
    fs::create_dir(site.path("current")).unwrap();
    let seen = session.carry_out(&site.activate(&release)).unwrap();
    assert!(reason(&seen).contains("is not a link"), "{}", reason(&seen));
    fs::remove_dir(site.path("current")).unwrap();
    symlink("/somewhere/else", site.path("current")).unwrap();
    assert_eq!(session.probe(&site.placement, &[]).current, None);
    let seen = session.carry_out(&site.activate(&release)).unwrap();
    assert_eq!(seen.status, TokenStatus::Finished(Outcome::Succeeded));
    assert_eq!(session.probe(&site.placement, &[]).current, Some(release.id));
}

#[test]
fn the_private_directory_of_somebody_else_is_not_trusted() {
    let site = Site::new();
    let (_, release) = site.release("1");
    fs::create_dir_all(&site.placement.root).unwrap();
    let elsewhere = site.trace("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, site.path(".andon")).unwrap();
    let refused = Session::open().carry_out(&site.prepare(&release)).unwrap_err();
    assert!(matches!(refused, Refusal::Storage(_)), "{refused:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn what_is_in_the_private_directory_is_closed_to_others() {
    let site = Site::new();
    site.bring(&mut Session::open(), "1");
    let mode = |path: &str| fs::metadata(site.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".andon"), 0o700);
    assert_eq!(mode("releases"), 0o755);
}
