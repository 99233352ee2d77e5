//! The TCP probe: whether somebody accepts connections.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Answer;

/// Connects to `port` on this host.
pub(super) fn ask(port: u16, timeout: Duration) -> Answer {
    // The standard library refuses to wait for no time at all.
    let timeout = timeout.max(Duration::from_millis(1));
    match TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), timeout) {
        Ok(_) => Answer::new(true, &format!("accepts connections on port {port}"), b""),
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            Answer::failed(&format!("did not accept a connection on port {port} within {timeout:?}"))
        }
        Err(error) => Answer::failed(&format!("does not accept connections on port {port}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_passes_and_a_closed_port_does_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(ask(port, Duration::from_secs(5)).passed);
        drop(listener);
        let answer = ask(port, Duration::from_secs(5));
        assert!(!answer.passed && answer.message.contains("refused"), "{}", answer.message);
    }
}
