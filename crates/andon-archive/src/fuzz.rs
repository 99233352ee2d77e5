//! What must hold for any bytes that are taken for an archive. Called by fuzzing and by the replay of its corpus.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use andon_core::digest::Digest;
use andon_core::quantity::ByteSize;
use andon_core::release::Packing;

use crate::{ArchiveError, Limits, scan, unpack};

/// Small ones, so that small archives come near them.
const LIMITS: Limits =
    Limits { unpacked: ByteSize(1 << 20), entries: 64, path_len: 300, depth: 8, names: ByteSize(4 << 10) };

/// The sizes of a tar header and of its blocks.
const BLOCK: usize = 512;

/// Scans and unpacks inside of `room`, an empty directory that is empty again afterwards.
///
/// The first byte says how `data` is packed. Of a bare tar, headers get their right checksums, without which nothing
/// behind them would ever be looked at.
#[allow(clippy::panic, reason = "that is how harm is told")]
pub fn archive(data: &[u8], room: &Path) {
    let Some((kind, data)) = data.split_first() else { return };
    let (ending, packing) = match kind % 4 {
        0 => ("tar", Packing::Tar),
        1 => ("tar.gz", Packing::TarGz),
        2 => ("tar.zst", Packing::TarZst),
        _ => ("tar", Packing::Tar),
    };
    let mut bytes = data.to_vec();
    if kind % 4 == 0 {
        correct(&mut bytes);
    }
    let archive = room.join(format!("archive.{ending}"));
    let (witness, host) = (room.join("witness"), room.join("host"));
    let prepared = fs::write(&archive, &bytes)
        .and_then(|()| fs::write(&witness, "untouched"))
        .and_then(|()| fs::create_dir(&host));
    if let Err(error) = prepared {
        panic!("{}: {error}", room.display());
    }
    let target = host.join("release");
    let scanned = scan(&archive, &LIMITS);
    let unpacked = unpack(&archive, packing, &Digest::of(&bytes), &target, &LIMITS);
    assert!(fs::read(&witness).is_ok_and(|text| text == b"untouched"), "a file outside was changed");
    assert_eq!(names(room), [format!("archive.{ending}"), "host".to_owned(), "witness".to_owned()]);
    match (scanned, unpacked) {
        (Ok(scanned), Ok(unpacked)) => {
            assert_eq!((scanned.entries, scanned.unpacked), (unpacked.entries, unpacked.unpacked));
            assert!(unpacked.entries <= LIMITS.entries && unpacked.unpacked <= LIMITS.unpacked);
            assert_eq!(names(&host), ["release"]);
            let (mut entries, mut bytes) = (0, 0);
            harmless(&target, &target, &mut entries, &mut bytes);
            assert!(entries <= unpacked.entries, "{entries} instead of {}", unpacked.entries);
            assert!(bytes <= unpacked.unpacked.0, "{bytes} bytes instead of {}", unpacked.unpacked);
        }
        (scanned, Err(error)) => {
            assert!(!target.exists(), "something is left: {error}");
            // The first bytes tell the packing, which only a scan looks at.
            let same = scanned.as_ref().err().is_some_and(|scanned| {
                scanned.to_string() == error.to_string()
                    || matches!(scanned, ArchiveError::UnknownPacking { .. })
            });
            assert!(same, "one refuses and the other does not: {scanned:?}, {error}");
            // What the rules admit must not fail for the file system.
            assert!(!matches!(error, ArchiveError::Io { .. }), "{error}");
        }
        (Err(ArchiveError::UnknownPacking { .. }), Ok(_)) => {}
        (Err(error), Ok(_)) => panic!("only one of the two refuses: {error}"),
    }
    for path in [&archive, &witness] {
        let _ = fs::remove_file(path);
    }
    let _ = fs::remove_dir_all(&host);
}

/// Puts the right checksum into every block that could be a header.
fn correct(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(BLOCK) {
        // Zeros end an archive, and what does not say that it is a tar is not made to be one.
        if block.get(257..262) == Some(b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Looks at everything below `at`: kinds, rights, and where links lead.
fn harmless(root: &Path, at: &Path, entries: &mut u64, bytes: &mut u64) {
    for entry in fs::read_dir(at).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else { continue };
        *entries += 1;
        let kind = metadata.file_type();
        assert!(
            !kind.is_block_device() && !kind.is_char_device() && !kind.is_fifo() && !kind.is_socket(),
            "{path:?} is no file"
        );
        if kind.is_symlink() {
            let root = root.canonicalize().unwrap_or_default();
            let leads = path.canonicalize();
            assert!(leads.as_ref().map_or(true, |leads| leads.starts_with(&root)), "{path:?}: {leads:?}");
            continue;
        }
        assert_eq!(metadata.mode() & 0o7022, 0, "{path:?} has the mode {:o}", metadata.mode());
        if kind.is_dir() {
            harmless(root, &path, entries, bytes);
        } else {
            // Those with many names have one content.
            *bytes += metadata.len() / metadata.nlink().max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn archives_that_were_found_do_no_harm() {
        let room = tempfile::tempdir().unwrap();
        andon_testbed::corpus::replay("archive", |data| super::archive(data, room.path()));
    }
}
