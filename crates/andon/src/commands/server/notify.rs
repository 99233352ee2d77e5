//! What systemd is told, when it is systemd that started this process: `sd_notify(3)`.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Tells systemd something, for example `READY=1`. Nobody can be told that nobody can be told.
pub(super) fn notify(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => std::os::unix::net::SocketAddr::from_abstract_name(name),
        None => std::os::unix::net::SocketAddr::from_pathname(&name),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

/// How often systemd wants a sign of life, where it wants one; half of what it waits for.
pub(super) fn heartbeat() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let mine = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| mine && *micros > 0)?;
    Some(Duration::from_micros(micros / 2))
}
