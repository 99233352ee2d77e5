//! Small phrases that several sentences share.

use crate::name::HostName;

/// Up to four names, then how many more: `web1, web2, web3 and 5 more`.
pub fn list_hosts<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> String {
    const SHOWN: usize = 4;
    let names: Vec<&str> = hosts.into_iter().map(HostName::as_str).collect();
    match names.len() {
        0 => "no host".to_owned(),
        1 => names[0].to_owned(),
        n if n <= SHOWN => format!("{} and {}", names[..n - 1].join(", "), names[n - 1]),
        n => format!("{} and {} more", names[..SHOWN - 1].join(", "), n - SHOWN + 1),
    }
}

/// `1 host`, `2 hosts`.
pub fn hosts(count: u32) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}
