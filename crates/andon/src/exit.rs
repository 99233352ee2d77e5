//! Exit codes, one for each thing that a script would do differently.

/// It ended as it was meant to.
pub(crate) const OK: u8 = 0;
/// It ran and did not end well: a deployment that was put back, a test that failed, a host that said no.
pub(crate) const NOT_WELL: u8 = 1;
/// The words make no sense, or `line.star` has mistakes.
pub(crate) const USAGE: u8 = 2;
/// It was refused; nothing has been changed.
pub(crate) const REFUSED: u8 = 3;
/// Something that Andon needs failed: the ledger, a file, the network of this machine.
pub(crate) const BROKEN: u8 = 4;
/// It was left by Ctrl-C; hosts may be in the middle. `andon resume` goes on.
pub(crate) const LEFT: u8 = 130;
