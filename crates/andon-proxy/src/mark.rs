//! What a request says about the server that it wants: a cookie that keeps it with one, or the mark of the canary.

use crate::config::PoolConfig;
use crate::pool::{Server, Wanted};

/// Reads the marks of a request from its fields, given as name and value.
pub(crate) fn wanted<'a>(
    config: &PoolConfig,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    if config.sticky.is_none() && config.canary.is_none() {
        return wanted;
    }
    for (name, value) in fields {
        if name.eq_ignore_ascii_case(b"cookie") {
            for (name, value) in cookies(value) {
                if config.sticky.as_ref().is_some_and(|sticky| sticky.cookie.as_bytes() == name) {
                    wanted.stay = Some(value);
                }
                let canary = config.canary.as_ref();
                wanted.canary |= canary.is_some_and(|canary| {
                    canary.cookie.as_ref().is_some_and(|cookie| cookie.as_bytes() == name)
                        && canary.value.as_bytes() == value
                });
            }
        } else if let Some(canary) = &config.canary {
            wanted.canary |= canary.value.as_bytes() == value
                && canary.header.as_ref().is_some_and(|header| header.as_bytes().eq_ignore_ascii_case(name));
        }
    }
    wanted
}

/// The cookie that keeps a client with `server`, where the pool wishes so and the client does not bring it already.
pub(crate) fn cookie(
    config: &PoolConfig,
    wanted: Wanted<'_>,
    server: &Server,
    is_tls: bool,
) -> Option<String> {
    let sticky = config.sticky.as_ref()?;
    if wanted.stay == Some(server.id()) {
        return None;
    }
    let id = String::from_utf8_lossy(server.id());
    let secure = if is_tls { "; Secure" } else { "" };
    Some(format!("{}={id}; Path=/; HttpOnly; SameSite=Lax{secure}", sticky.cookie))
}

/// The pairs of a `Cookie` header.
fn cookies(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|byte| *byte == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let middle = memchr::memchr(b'=', pair)?;
        Some((&pair[..middle], &pair[middle + 1..]))
    })
}
