//! Random archives: whatever they hold, nothing outside of the release is touched.

use andon_archive::{ArchiveError, Limits};
use proptest::prelude::*;

use crate::builder::{Bench, Tar, contents, record};

/// Few names, so that entries meet each other.
fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "l", "m", "..", "."]);
    (any::<bool>(), prop::collection::vec(name, 1..4)).prop_map(|(absolute, names)| {
        // One absolute path in many, pointing where the test would notice.
        let path = names.join("/");
        if absolute && path.starts_with("m") { format!("/{path}") } else { path }
    })
}

#[derive(Debug, Clone)]
struct Entry(u8, String, String, u32);

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop::sample::select(b"000111222255536".to_vec());
    let mode = prop::sample::select(vec![0o644, 0o755, 0o777, 0o000]);
    (kind, path(), path(), mode).prop_map(|(kind, path, target, mode)| Entry(kind, path, target, mode))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_ever_written_outside_of_the_release(entries in prop::collection::vec(entry(), 1..7)) {
        let bench = Bench::new();
        std::fs::write(bench.path("a"), "a witness").unwrap();
        std::fs::create_dir(bench.path("b")).unwrap();
        let mut archive = Tar::default().file("z", "at least one file");
        for Entry(kind, path, target, mode) in &entries {
            let data: &[u8] = if *kind == b'0' { b"data" } else { b"" };
            let target = if matches!(kind, b'1' | b'2') { target.as_str() } else { "" };
            archive = archive.raw(*kind, path.as_bytes(), target.as_bytes(), *mode, data.len() as u64, data);
        }
        // This also insists that scan and unpack agree, and that a failure leaves nothing behind.
        let judged = bench.judge(&archive.end(), &Limits::default());
        let mut around = contents(bench.dir.path());
        around.retain(|path, _| !path.starts_with("host/release"));
        let expected = ["", "a", "archive.tar", "b", "host"];
        prop_assert_eq!(around.keys().collect::<Vec<_>>(), expected);
        prop_assert_eq!(std::fs::read(bench.path("a")).unwrap(), b"a witness");
        match judged {
            Ok(_) => prop_assert!(links_stay_inside(&bench)),
            // The file system must never be what stops an archive that the policy admitted.
            Err(error) => prop_assert!(!matches!(error, ArchiveError::Io { .. }), "{}", error),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn headers_full_of_anything_are_survived(
        at in 0..1536_usize,
        bytes in prop::collection::vec(any::<u8>(), 1..24),
    ) {
        let bench = Bench::new();
        let long = record("path", b"a/long/name");
        let mut archive =
            Tar::default().extension(b'x', &long).file("f", "x").link("l", "f").file("z", "last").end();
        // Only the headers of the extension, the file and the link, and the records.
        let end = (at + bytes.len()).min(archive.len());
        archive[at..end].copy_from_slice(&bytes[..end - at]);
        for start in [0, 1024, 2048] {
            let mut header = tar::Header::new_old();
            header.as_mut_bytes().copy_from_slice(&archive[start..start + 512]);
            header.set_cksum();
            archive[start..start + 512].copy_from_slice(header.as_bytes());
        }
        if let Err(error) = bench.judge(&archive, &Limits::default()) {
            prop_assert!(!matches!(error, ArchiveError::Io { .. }), "{}", error);
        }
    }
}

/// Asks the kernel where each link of the unpacked release leads.
fn links_stay_inside(bench: &Bench) -> bool {
    let root = bench.target().canonicalize().unwrap();
    contents(&root)
        .iter()
        .filter(|(_, what)| what.starts_with("->"))
        .all(|(path, _)| root.join(path).canonicalize().map_or(true, |real| real.starts_with(&root)))
}
