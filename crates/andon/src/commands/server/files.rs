//! How many files this process may have open. Only that; each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for all connections, and for what deployments open beside them.
const WANTED: u64 = 8192;

/// Raises the limit as far as is allowed. Where that is not far, connections wait for each other.
pub(super) fn make_room() {
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if now.current.is_some_and(|current| current < most) {
        // With less than that the server answers as well.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: now.maximum });
    }
}
