//! Every statement that reads or writes a ledger, in the dialect that SQLite and PostgreSQL share.
//! Only the schema and the settings of a connection differ between the two.

/// The columns of a record, in the order in which they are decoded.
macro_rules! record_columns {
    () => {
        "SELECT position, stream, seq, recorded_at, recorded_by, hash, fact"
    };
}
macro_rules! behind_in_stream {
    () => {
        " FROM record WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    };
}
macro_rules! behind_position {
    () => {
        " FROM record WHERE position > $1 ORDER BY position LIMIT $2"
    };
}
macro_rules! newest_view_rows {
    () => {
        " FROM view_row WHERE view_name = $1 AND SUBSTR(row_key, 1, LENGTH($2)) = $2 \
         ORDER BY rank DESC, row_key DESC LIMIT $3"
    };
}
macro_rules! view_rows_before {
    () => {
        " FROM view_row WHERE view_name = $1 AND SUBSTR(row_key, 1, LENGTH($2)) = $2 \
         AND (rank, row_key) < ($4, $5) ORDER BY rank DESC, row_key DESC LIMIT $3"
    };
}

pub(super) const ID: &str = "SELECT id FROM ledger WHERE only_row = 1";
pub(super) const HEAD: &str = "SELECT position, hash FROM ledger WHERE only_row = 1";
pub(super) const HEAD_AND_FENCE: &str = "SELECT position, fence FROM ledger WHERE only_row = 1";
pub(super) const FENCE: &str = "SELECT fence FROM ledger WHERE only_row = 1";
pub(super) const HASH_AT: &str = "SELECT hash FROM record WHERE position = $1";
/// Only upwards: a fence that was granted is never granted again.
pub(super) const RAISE_FENCE: &str = "UPDATE ledger SET fence = $1 WHERE only_row = 1 AND fence < $1";
pub(super) const HELD_LEASE: &str = "SELECT name, holder, description, fence, held_until FROM lease \
                                     WHERE held_until > $1 ORDER BY held_until DESC LIMIT 1";
pub(super) const DROP_ALL_LEASES: &str = "DELETE FROM lease";
pub(super) const HEAD_POSITION: &str = "SELECT position FROM ledger WHERE only_row = 1";
/// The recorded head and the newest record, as of the same moment.
pub(super) const HEAD_AND_NEWEST: &str = "SELECT position, hash, (SELECT COALESCE(MAX(position), 0) FROM \
                                          record) FROM ledger WHERE only_row = 1";
pub(super) const MOVE_HEAD: &str = "UPDATE ledger SET position = $1, hash = $2 WHERE only_row = 1";
pub(super) const NEXT_FENCE: &str = "UPDATE ledger SET fence = fence + 1 WHERE only_row = 1 RETURNING fence";

pub(super) const STREAM_HEAD: &str = "SELECT COALESCE(MAX(seq), 0) FROM record WHERE stream = $1";
pub(super) const INSERT_RECORD: &str = "INSERT INTO record (position, stream, seq, recorded_at, \
                                        recorded_by, hash, fact) VALUES ($1, $2, $3, $4, $5, $6, $7)";
pub(super) const READ: &str = concat!(record_columns!(), behind_in_stream!());
pub(super) const READ_SIZES: &str = concat!("SELECT OCTET_LENGTH(fact)", behind_in_stream!());
pub(super) const TAIL: &str = concat!(record_columns!(), behind_position!());
pub(super) const TAIL_SIZES: &str = concat!("SELECT OCTET_LENGTH(fact)", behind_position!());
/// By the index over streams, which holds all that is asked for.
pub(super) const STREAM_ORDER: &str = "SELECT stream, seq, position FROM record WHERE (stream, seq) > ($1, \
                                       $2) ORDER BY stream, seq LIMIT $3";

pub(super) const VIEW: &str = "SELECT body FROM view_row WHERE view_name = $1 AND row_key = $2";
pub(super) const VIEW_ROWS: &str = concat!("SELECT row_key, rank, body", newest_view_rows!());
pub(super) const VIEW_SIZES: &str = concat!("SELECT OCTET_LENGTH(body)", newest_view_rows!());
pub(super) const VIEW_ROWS_BEFORE: &str = concat!("SELECT row_key, rank, body", view_rows_before!());
pub(super) const VIEW_SIZES_BEFORE: &str = concat!("SELECT OCTET_LENGTH(body)", view_rows_before!());
pub(super) const PUT_VIEW_ROW: &str = "INSERT INTO view_row (view_name, row_key, rank, body) VALUES ($1, $2, \
                                       $3, $4) ON CONFLICT (view_name, row_key) DO UPDATE SET rank = \
                                       excluded.rank, body = excluded.body";

pub(super) const LEASE: &str = "SELECT holder, description, fence, held_until FROM lease WHERE name = $1";
pub(super) const PUT_LEASE: &str = "INSERT INTO lease (name, holder, description, fence, held_until) VALUES \
                                    ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET holder = \
                                    excluded.holder, description = excluded.description, fence = \
                                    excluded.fence, held_until = excluded.held_until";
pub(super) const DROP_LEASE: &str = "DELETE FROM lease WHERE name = $1 AND holder = $2 AND fence = $3";

pub(super) const FORMAT: &str = "SELECT COALESCE(MAX(version), 0) FROM migration";
pub(super) const WRITTEN_BY: &str = "SELECT written_by FROM migration ORDER BY version DESC LIMIT 1";
pub(super) const RECORD_MIGRATION: &str = "INSERT INTO migration (version, written_by) VALUES ($1, $2)";
pub(super) const FOUND_LEDGER: &str =
    "INSERT INTO ledger (only_row, id, position, hash, fence) VALUES (1, $1, 0, $2, 0)";
