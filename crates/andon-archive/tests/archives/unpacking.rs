//! Archives of real tools, unpacked.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use andon_archive::{ArchiveError, Limits, packing_of, scan, unpack};
use andon_core::digest::Digest;
use andon_core::release::Packing;

use crate::builder::{Bench, Tar, contents, packed_each_way, record};

/// A tree with everything that a release may hold.
fn sample(dir: &Path) {
    let write = |path: &str, content: &[u8], mode| {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write("bin/www", b"#!/bin/sh\n", 0o755);
    write("conf/www.conf", &[0, 1, 2, 255], 0o644);
    write("secret", b"s", 0o600);
    write(&format!("long/{}/file", "n".repeat(180)), b"long", 0o644);
    std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
    std::os::unix::fs::symlink("bin/www", dir.join("www")).unwrap();
    std::os::unix::fs::symlink(format!("long/{}/file", "n".repeat(180)), dir.join("far")).unwrap();
    std::fs::hard_link(dir.join("bin/www"), dir.join("bin/www2")).unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
}

fn assert_is_sample(target: &Path) {
    let found = contents(target);
    let long = format!("long/{}/file", "n".repeat(180));
    for (path, what) in [
        ("", "755 dir"),
        ("bin/www", "555 #!/bin/sh\\n"),
        ("bin/www2", "555 #!/bin/sh\\n"),
        ("conf/www.conf", "444 \\x00\\x01\\x02\\xff"),
        ("secret", "400 s"),
        ("www", "-> bin/www"),
        ("far", format!("-> {long}").as_str()),
        (long.as_str(), "444 long"),
        ("caf\\xe9", "444 latin"),
        ("empty", "755 dir"),
    ] {
        assert_eq!(found.get(path).map(String::as_str), Some(what), "{path}");
    }
    assert_eq!(found.len(), 14, "{found:?}");
    let inode = |path: &str| target.join(path).metadata().unwrap().ino();
    assert_eq!(inode("bin/www"), inode("bin/www2"));
}

/// Runs the real tar in a clean environment.
fn real_tar(args: &[&str]) {
    let output = Command::new("tar").args(args).env("LC_ALL", "C").output().expect("install tar");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn archives_of_the_real_tar_are_unpacked_in_every_format() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("src")).unwrap();
    std::fs::create_dir(bench.path("host")).unwrap();
    sample(&bench.path("src"));
    let (src, target) = (bench.path("src"), bench.target());
    for (format, compress, ending, packing) in [
        ("gnu", None, "tar", Packing::Tar),
        ("pax", None, "tar", Packing::Tar),
        ("gnu", Some("-z"), "tar.gz", Packing::TarGz),
        ("pax", Some("-z"), "tgz", Packing::TarGz),
        ("gnu", Some("--zstd"), "tar.zst", Packing::TarZst),
    ] {
        let archive = bench.path(&format!("sample.{ending}"));
        let format = format!("--format={format}");
        let mut args = vec!["-c", &format, "-C", src.to_str().unwrap(), "-f", archive.to_str().unwrap()];
        args.extend(compress);
        args.push(".");
        real_tar(&args);
        assert_eq!(packing_of(&archive), Some(packing));
        let scanned = scan(&archive, &Limits::default()).unwrap();
        unpack(&archive, packing, &scanned.digest, &target, &Limits::default()).unwrap();
        assert_is_sample(&target);
        std::fs::remove_dir_all(&target).unwrap();
    }
}

#[test]
fn a_sparse_file_is_refused_with_what_to_do() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("src")).unwrap();
    std::fs::File::create(bench.path("src/holes")).unwrap().set_len(10 << 20).unwrap();
    for format in ["--format=gnu", "--format=pax"] {
        let archive = bench.path("holes.tar");
        let (src, file) = (bench.path("src"), archive.to_str().unwrap().to_owned());
        real_tar(&["-c", "-S", format, "-C", src.to_str().unwrap(), "-f", &file, "."]);
        let error = scan(&archive, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains("holes") && error.contains("without `--sparse`"), "{error}");
    }
}

#[test]
fn every_packing_gives_the_same_release() {
    let bench = Bench::new();
    let tar = Tar::default()
        .raw(b'\0', b"old/", b"", 0o755, 0, b"")
        .raw(b'7', b"contiguous", b"", 0o644, 2, b"xy")
        .extension(b'g', &record("comment", b"4c1d9e2"))
        .extension(b'x', &[record("mtime", b"1.5"), record("path", b"from\npax\xff")].concat())
        .file("x", "pax")
        .extension(b'x', &record("size", b"3"))
        .raw(b'0', b"size", b"", 0o644, 0, b"abc")
        .end();
    for (ending, packing, bytes) in packed_each_way(&tar) {
        let (scanned, _) = bench.judge_packed(ending, packing, &bytes, &Limits::default()).unwrap();
        assert_eq!((scanned.entries, scanned.unpacked.0), (4, 4 * 4096));
        let found: Vec<_> = contents(&bench.target()).into_iter().collect();
        let pair = |path: &str, what: &str| (path.to_owned(), what.to_owned());
        assert_eq!(
            found,
            [
                pair("", "755 dir"),
                pair("contiguous", "444 xy"),
                pair("from\\npax\\xff", "444 pax"),
                pair("old", "755 dir"),
                pair("size", "444 abc"),
            ]
        );
    }
}

#[test]
fn a_large_tree_is_unpacked_whole() {
    let bench = Bench::new();
    let big = "0123456789abcdef".repeat(64 << 10);
    let tar = (0..600)
        .fold(Tar::default().file("big", &big), |tar, i| tar.file(&format!("d{}/f{i}", i % 300), "x"));
    let (scanned, _) = bench.judge(&tar.end(), &Limits::default()).unwrap();
    assert_eq!(scanned.entries, 901);
    assert_eq!(contents(&bench.target()).len(), 902);
    assert_eq!(std::fs::read(bench.target().join("big")).unwrap(), big.as_bytes());
}

#[test]
fn unpacking_never_mixes_with_what_is_there() {
    let bench = Bench::new();
    let bytes = Tar::default().file("a", "new").end();
    let path = bench.path("archive.tar");
    std::fs::write(&path, &bytes).unwrap();
    std::fs::create_dir_all(bench.target()).unwrap();
    std::fs::write(bench.target().join("a"), "old").unwrap();
    let try_unpack =
        |target: &Path| unpack(&path, Packing::Tar, &Digest::of(&bytes), target, &Limits::default());
    assert!(matches!(try_unpack(&bench.target()), Err(ArchiveError::TargetExists { .. })));
    assert_eq!(std::fs::read(bench.target().join("a")).unwrap(), b"old");
    // A link in place of the target is not followed either.
    std::os::unix::fs::symlink("nowhere", bench.path("link")).unwrap();
    assert!(matches!(try_unpack(&bench.path("link")), Err(ArchiveError::TargetExists { .. })));
    let error = try_unpack(&bench.path("no/parent")).unwrap_err().to_string();
    assert!(error.starts_with("cannot create ") && error.ends_with("; check the path"), "{error}");
}

#[test]
fn a_name_and_content_that_disagree_are_no_packing() {
    let bench = Bench::new();
    let tar = Tar::default().file("a", "x").end();
    let packed = packed_each_way(&tar);
    for (name_ending, expected, _) in &packed {
        for (_, packing, bytes) in &packed {
            let path = bench.path(&format!("archive.{name_ending}"));
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(packing_of(&path), (expected == packing).then_some(*packing));
            if expected != packing {
                let error = scan(&path, &Limits::default()).unwrap_err();
                assert!(matches!(error, ArchiveError::UnknownPacking { .. }), "{error}");
            }
        }
    }
    std::fs::write(bench.path("archive.zip"), b"PK").unwrap();
    assert_eq!(packing_of(&bench.path("archive.zip")), None);
    assert_eq!(packing_of(&bench.path("missing.tar")), None);
    std::fs::create_dir(bench.path("dir.tar")).unwrap();
    assert_eq!(packing_of(&bench.path("dir.tar")), None);
}
