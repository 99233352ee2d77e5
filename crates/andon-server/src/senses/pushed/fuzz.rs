//! What must hold for whatever stands in a segment.

use super::segment::{Entry, HEADER, read, write};
use crate::frames::{Frames, push_frame};

/// `data` is a segment, or the records of one behind its checksums.
pub fn pushed(data: &[u8]) {
    let framed = data.strip_prefix(HEADER).unwrap_or(data);
    records(framed);
    // Of itself, hardly anything has the right checksum.
    let mut checked = Vec::new();
    data.split(|byte| *byte == b'\n').for_each(|record| push_frame(&mut checked, record));
    records(&checked);
}

fn records(bytes: &[u8]) {
    let (mut frames, mut names) = (Frames::of(bytes), Vec::new());
    for record in frames.by_ref() {
        let known = names.len();
        let Some((at, entries)) = read(record, &mut names) else { continue };
        assert!(entries.len() <= record.len() && names.len() - known <= entries.len());
        // What is known by its name is written as it was read.
        if names.len() == known && entries.iter().all(|entry| entry.series < known) {
            let written = write(at, entries.iter().map(|entry: &Entry| (*entry, None)));
            assert_eq!(read(&written, &mut names), Some((at, entries)));
        }
    }
    assert!(frames.read() <= bytes.len());
}
