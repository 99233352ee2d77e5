//! Archives that mean harm. Each must be refused by scan and unpack alike, with a sentence that helps.

use andon_archive::{Limits, unpack};
use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::builder::{Bench, Tar, contents, gzip, record};

#[test]
fn entries_that_would_escape_are_refused() {
    let bench = Bench::new();
    let outside = bench.path("outside");
    let absolute = outside.to_str().unwrap();
    for (archive, why) in [
        (Tar::default().file(absolute, "x"), "its path is absolute"),
        (Tar::default().file("../outside", "x"), "its path contains `..`"),
        (Tar::default().file("a/../../outside", "x"), "its path contains `..`"),
        (Tar::default().link("l", "../.."), "leads out of the release"),
        (Tar::default().link("l", absolute), "leads out of the release"),
        (Tar::default().link("l", "..").file("l/outside", "x"), "behind the symbolic link `l`"),
        (Tar::default().dir("d").link("l", "d").file("l/x", "x"), "behind the symbolic link `l`"),
        (Tar::default().file("f", "").hard("h", "../../archive.tar"), "is no file that came before it"),
        (Tar::default().file("f", "").hard("h", absolute), "is no file that came before it"),
        (Tar::default().dir("d").link("d", "/"), "leads out of the release"),
        (Tar::default().dir("d").link("d", "e"), "in the archive twice"),
        (
            Tar::default().dir("a/b").link("a/b/up", "../..").link("x", "a/b/up/../y"),
            "leads out of the release",
        ),
    ] {
        let refusal = bench.refusal(&archive.file("fine", "x").end());
        assert!(refusal.contains(why), "{refusal}");
        assert!(!outside.exists());
    }
}

#[test]
fn escapes_hidden_in_extensions_are_refused() {
    let bench = Bench::new();
    for archive in [
        Tar::default().extension(b'L', b"../outside\0").file("harmless", "x"),
        Tar::default().extension(b'x', &record("path", b"../outside")).file("harmless", "x"),
        Tar::default().extension(b'x', &record("path", b"/outside")).file("harmless", "x"),
    ] {
        assert!(bench.refusal(&archive.end()).contains("its path"));
    }
    for archive in [
        Tar::default().extension(b'K', b"../../outside\0").link("harmless", "x"),
        Tar::default().extension(b'x', &record("linkpath", b"/outside")).link("harmless", "x"),
    ] {
        assert!(bench.refusal(&archive.end()).contains("leads out of the release"));
    }
}

#[test]
fn what_is_no_file_directory_or_link_is_refused() {
    let bench = Bench::new();
    for (kind, why) in [
        (b'3', "a device node"),
        (b'4', "a device node"),
        (b'6', "a fifo"),
        (b'M', "another volume"),
        (b'V', "not known"),
        (b'S', "sparse"),
        (b'?', "not known"),
    ] {
        let refusal = bench.refusal(&Tar::default().raw(kind, b"odd", b"", 0o644, 0, b"").end());
        assert!(refusal.contains("`odd`") && refusal.contains(why), "{refusal}");
    }
    let sparse = Tar::default().extension(b'x', &record("GNU.sparse.major", b"1")).file("odd", "x").end();
    assert!(bench.refusal(&sparse).contains("--sparse"));
}

#[test]
fn nothing_runs_with_rights_that_it_was_lent() {
    let bench = Bench::new();
    for mode in [0o4755, 0o2755, 0o6755] {
        let refusal = bench.refusal(&Tar::default().raw(b'0', b"tool", b"", mode, 0, b"").end());
        assert!(refusal.contains("`tool`") && refusal.contains("chmod ug-s"), "{refusal}");
    }
}

#[test]
fn names_that_mislead_are_refused_or_shown_escaped() {
    let bench = Bench::new();
    let nul = Tar::default().extension(b'x', &record("path", b"a\0b")).file("x", "x").end();
    assert!(bench.refusal(&nul).contains("NUL"));
    let nul = Tar::default().extension(b'L', b"a\0b\0").file("x", "x").end();
    assert!(bench.refusal(&nul).contains("NUL"));
    let escape = bench.refusal(&Tar::default().file("/\u{1b}]0;owned\u{7}", "x").end());
    assert!(escape.contains("/\\u{1b}]0;owned\\u{7}"), "{escape}");
    let twice = Tar::default().extension(b'L', b"a\0").extension(b'x', &record("path", b"b")).file("x", "x");
    assert!(bench.refusal(&twice.end()).contains("contradict each other"));
    let global = Tar::default().extension(b'g', &record("path", b"b")).file("x", "x").end();
    assert!(bench.refusal(&global).contains("contradict each other"));
}

#[test]
fn damage_is_told_from_malice() {
    let bench = Bench::new();
    let good = Tar::default().file("a", "content");
    let mut flipped = good.clone().end();
    flipped[3] ^= 1;
    assert!(bench.refusal(&flipped).contains("checksum"));
    let garbage = [good.clone().end(), b"more".to_vec()].concat();
    assert!(bench.refusal(&garbage).contains("something follows its end"));
    let second = [good.clone().end(), good.end()].concat();
    assert!(bench.refusal(&second).contains("something follows its end"));
    let oversized = Tar::default().raw(b'0', b"a", b"", 0o644, 1 << 20, b"short").end();
    assert!(bench.refusal(&oversized).contains("cut off"));
    let promised = Tar::default().file("a", "x").extension(b'L', b"name\0").end();
    assert!(bench.refusal(&promised).contains("cut off"));
    let data = Tar::default().raw(b'5', b"d", b"", 0o755, 5, b"hello").end();
    assert!(bench.refusal(&data).contains("carries data"));
    let size = Tar::default().extension(b'x', &record("size", b"-1")).file("a", "x").end();
    assert!(bench.refusal(&size).contains("contradict each other"));
    assert!(bench.refusal(b"this is no archive at all").contains("cut off"));
    assert!(bench.refusal(&[b'x'; 2048]).contains("damaged"));
}

#[test]
fn an_archive_without_a_file_is_refused() {
    let bench = Bench::new();
    for archive in [Tar::default(), Tar::default().dir("."), Tar::default().dir("a/b").link("l", "a")] {
        assert!(bench.refusal(&archive.end()).contains("holds no file"));
    }
    assert!(bench.refusal(b"").contains("cut off"));
}

#[test]
fn bombs_are_stopped_by_the_limits() {
    let bench = Bench::new();
    let limits = Limits { unpacked: ByteSize(1 << 20), entries: 100, ..Limits::default() };
    let why = |tar: &[u8]| {
        let zst = zstd::encode_all(tar, 1).unwrap();
        bench.judge_packed("tar.zst", Packing::TarZst, &zst, &limits).unwrap_err().to_string()
    };
    let big = "\0".repeat(2 << 20);
    assert!(why(&Tar::default().file("zeros", &big).end()).contains("more than 1.0 MiB"));
    assert!(
        why(&Tar::default().raw(b'0', b"lie", b"", 0o644, 1 << 60, b"").end()).contains("more than 1.0 MiB")
    );
    let many = (0..200).fold(Tar::default(), |tar, i| tar.file(&format!("f{i}"), ""));
    assert!(why(&many.end()).contains("more than 100 entries"));
    let implied = (0..60).fold(Tar::default(), |tar, i| tar.file(&format!("d{i}/f"), ""));
    assert!(why(&implied.end()).contains("more than 100 entries"));
    let same = (0..200).fold(Tar::default(), |tar, _| tar.dir("d"));
    assert!(why(&same.end()).contains("more than 100 entries"));
    let headers = (0..500).fold(Tar::default(), |tar, _| tar.extension(b'g', b""));
    assert!(why(&headers.end()).contains("more than 100 entries"));
    let long = Tar::default().extension(b'L', &vec![b'x'; 2 << 20]).file("f", "");
    assert!(why(&long.end()).contains("longer than 1024 bytes"));
    let mut padded = Tar::default().file("f", "x").end();
    padded.resize(8 << 20, 0);
    assert!(why(&padded).contains("something follows its end"));
}

#[test]
fn other_bytes_than_expected_are_refused_whatever_else_is_wrong() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("host")).unwrap();
    let expected = Digest::of(b"something else");
    for bytes in
        [Tar::default().file("a", "x").end(), b"garbage".to_vec(), Tar::default().file("../a", "x").end()]
    {
        let path = bench.path("archive.tar");
        std::fs::write(&path, &bytes).unwrap();
        let error = unpack(&path, Packing::Tar, &expected, &bench.target(), &Limits::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&expected.to_string()) && error.contains(&Digest::of(&bytes).to_string()),
            "{error}"
        );
        assert!(!bench.target().exists());
    }
}

#[test]
fn what_follows_a_compressed_stream_counts() {
    let bench = Bench::new();
    let tar = Tar::default().file("a", "content").end();
    let garbage = [gzip(&tar), b"garbage".to_vec()].concat();
    assert!(bench.judge_packed("tar.gz", Packing::TarGz, &garbage, &Limits::default()).is_err());
    let garbage = [zstd::encode_all(&tar[..], 3).unwrap(), b"garbage".to_vec()].concat();
    assert!(bench.judge_packed("tar.zst", Packing::TarZst, &garbage, &Limits::default()).is_err());
    // Several members or frames are one stream, as parallel compressors write it.
    let (one, two) = tar.split_at(700);
    let members = [gzip(one), gzip(two)].concat();
    bench.judge_packed("tar.gz", Packing::TarGz, &members, &Limits::default()).unwrap();
    assert_eq!(contents(&bench.target())["a"], "444 content");
    let frames = [zstd::encode_all(one, 3).unwrap(), zstd::encode_all(two, 3).unwrap()].concat();
    bench.judge_packed("tar.zst", Packing::TarZst, &frames, &Limits::default()).unwrap();
    assert_eq!(contents(&bench.target())["a"], "444 content");
}
