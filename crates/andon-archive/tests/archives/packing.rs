//! Packing directories: the same content gives the same bytes, and what comes out can be unpacked.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use andon_archive::{ArchiveError, Limits, pack, packing_of, scan, unpack};
use andon_core::release::Packing;

use crate::builder::{Bench, contents};

const FILES: [(&str, &str, u32); 5] = [
    ("bin/www", "#!/bin/sh\n", 0o755),
    ("bin-extra", "x", 0o644),
    ("share/a", "a", 0o644),
    ("share/B", "b", 0o644),
    ("z", "", 0o644),
];

/// Writes the sample in the given order under the given umask, in a child so that the umask stays there.
fn write_sample(dir: &Path, umask: &str, backwards: bool, modified: SystemTime) {
    let mut files = FILES.to_vec();
    if backwards {
        files.reverse();
    }
    let script: String = files
        .iter()
        .map(|(path, content, mode)| {
            let parent = Path::new(path).parent().unwrap().display();
            let execute = if *mode == 0o755 { format!("chmod +x {path};") } else { String::new() };
            format!("mkdir -p ./{parent}; printf '%s' '{content}' > {path}; {execute}")
        })
        .collect();
    std::fs::create_dir(dir).unwrap();
    let script = format!("set -e; umask {umask}; {script} ln -s bin/www www; ln -s .. share/up");
    let status = Command::new("/bin/sh").arg("-c").arg(script).current_dir(dir).status().unwrap();
    assert!(status.success());
    for (path, ..) in FILES {
        std::fs::File::open(dir.join(path)).unwrap().set_modified(modified).unwrap();
    }
}

#[test]
fn equal_content_gives_equal_bytes() {
    let bench = Bench::new();
    write_sample(&bench.path("one"), "022", false, SystemTime::UNIX_EPOCH);
    write_sample(&bench.path("two"), "077", true, SystemTime::now() - Duration::from_secs(77));
    let one = pack(&bench.path("one"), &bench.path("one.tar.zst"), &Limits::default()).unwrap();
    let two = pack(&bench.path("two"), &bench.path("two.tar.zst"), &Limits::default()).unwrap();
    assert_eq!(one, two);
    assert_eq!(
        std::fs::read(bench.path("one.tar.zst")).unwrap(),
        std::fs::read(bench.path("two.tar.zst")).unwrap()
    );
    std::fs::write(bench.path("two/z"), "changed").unwrap();
    let changed = pack(&bench.path("two"), &bench.path("two.tar.zst"), &Limits::default()).unwrap();
    assert_ne!(changed.digest, one.digest);
}

#[test]
fn what_is_packed_can_be_scanned_and_unpacked() {
    let bench = Bench::new();
    write_sample(&bench.path("src"), "022", false, SystemTime::now());
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    std::fs::create_dir(bench.path("src").join("d".repeat(120))).unwrap();
    std::fs::write(bench.path("src").join(&long), "long").unwrap();
    std::os::unix::fs::symlink(&long, bench.path("src/far")).unwrap();
    std::fs::write(bench.path("src").join(std::ffi::OsStr::from_bytes(b"\xff\x01")), "bytes").unwrap();
    let archive = bench.path("www.tar.zst");
    let packed = pack(&bench.path("src"), &archive, &Limits::default()).unwrap();
    assert_eq!(packed, scan(&archive, &Limits::default()).unwrap());
    assert_eq!(packing_of(&archive), Some(Packing::TarZst));
    unpack(&archive, Packing::TarZst, &packed.digest, &bench.path("out"), &Limits::default()).unwrap();
    let mut expected = contents(&bench.path("src"));
    for what in expected.values_mut() {
        *what = what.replace("644 ", "444 ").replace("755 #", "555 #");
    }
    assert_eq!(contents(&bench.path("out")), expected);
    // The real tar reads it, too.
    let listed = Command::new("tar").arg("-tf").arg(&archive).output().unwrap();
    assert!(listed.status.success());
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&long));
}

#[test]
fn what_a_host_would_refuse_is_not_packed() {
    let bench = Bench::new();
    let src = bench.path("src");
    let why = |prepare: &dyn Fn(&Path)| {
        let _ = std::fs::remove_dir_all(&src);
        std::fs::create_dir(&src).unwrap();
        std::fs::write(src.join("file"), "x").unwrap();
        prepare(&src);
        let error = pack(&src, &bench.path("www.tar.zst"), &Limits::default()).unwrap_err().to_string();
        let left: Vec<_> =
            std::fs::read_dir(bench.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["src"], "{error}");
        error
    };
    let link =
        |target: &'static str| move |src: &Path| std::os::unix::fs::symlink(target, src.join("l")).unwrap();
    assert!(why(&link("/etc/passwd")).contains("`l`: it is a symbolic link that leads out of the release"));
    assert!(why(&link("../x")).contains("leads out of the release"));
    let set_uid = |src: &Path| {
        std::fs::set_permissions(src.join("file"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    };
    assert!(why(&set_uid).contains("chmod ug-s"));
    let socket = |src: &Path| drop(std::os::unix::net::UnixListener::bind(src.join("socket")).unwrap());
    assert!(why(&socket).contains("`socket`: it is a device node, fifo or socket"));
    assert!(why(&|src| std::fs::remove_file(src.join("file")).unwrap()).contains("holds no file"));
    assert!(
        why(&|src| std::fs::remove_dir_all(src).map(|()| std::fs::write(src, "")).unwrap().unwrap())
            .contains("cannot read")
    );
}

#[test]
fn an_archive_is_not_packed_into_itself() {
    let bench = Bench::new();
    write_sample(&bench.path("src"), "022", false, SystemTime::now());
    for target in ["src/www.tar.zst", "src/bin/www.tar.zst"] {
        let error = pack(&bench.path("src"), &bench.path(target), &Limits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::TargetInside { .. }), "{error}");
    }
}
