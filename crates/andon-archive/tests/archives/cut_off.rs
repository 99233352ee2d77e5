//! Archives that end too early, at every byte.

use andon_archive::{ArchiveError, Limits, unpack};
use andon_core::digest::Digest;

use crate::builder::{Bench, Tar, contents, packed_each_way, record};

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused() {
    let bench = Bench::new();
    let tar = Tar::default()
        .dir("d")
        .file("d/a", "some content")
        .extension(b'x', &record("path", b"a/longer/name"))
        .file("short", "x")
        .link("l", "d/a")
        .end();
    for (ending, packing, bytes) in packed_each_way(&tar) {
        bench.judge_packed(ending, packing, &bytes, &Limits::default()).unwrap();
        let whole = contents(&bench.target());
        for len in 0..bytes.len() {
            // The agent only learns from the digest what the archive should have been.
            let path = bench.path("cut");
            std::fs::write(&path, &bytes[..len]).unwrap();
            let _ = std::fs::remove_dir_all(bench.target());
            let expected = Digest::of(&bytes[..len]);
            match unpack(&path, packing, &expected, &bench.target(), &Limits::default()) {
                Ok(_) => panic!("{ending} of {len} bytes was taken: {whole:?}"),
                Err(ArchiveError::Truncated) => assert!(!bench.target().exists()),
                Err(other) => panic!("{ending} cut off after {len} bytes is called: {other}"),
            }
        }
    }
}
