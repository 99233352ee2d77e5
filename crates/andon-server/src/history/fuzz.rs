//! What must hold for whatever stands in a block.

use super::block::{columns, read, rows, write};
use super::row::Row;
use crate::frames::Numbers;

/// `data` is a block, or what is compressed in one.
pub fn history(data: &[u8]) {
    if let Some(rows) = read(data) {
        assert!(read(&write(&rows)).is_some(), "what was read cannot be written");
    }
    let Some(rows) = unpacked(data) else { return };
    // As bytes: a level that is no number equals nothing.
    let packed = columns(&rows);
    assert_eq!(unpacked(&packed).map(|rows| columns(&rows)), Some(packed), "rows change when they are read");
}

fn unpacked(columns: &[u8]) -> Option<Vec<Row>> {
    rows(&mut Numbers(columns))
}
