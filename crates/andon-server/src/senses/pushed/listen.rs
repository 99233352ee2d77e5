//! StatsD over the network: datagrams, and lines on connections.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use andon_core::name::HostName;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;

use super::super::statsd::{self, MAX_LINE};
use super::receiver::Inbox;

/// Connections at once; more wait until one of them ends.
const MAX_CONNECTIONS: usize = 256;
/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// A pause after the system could not give a connection, so that it is not asked in vain all the time.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes in datagrams for ever.
pub(super) async fn datagrams(socket: UdpSocket, inbox: Arc<Inbox>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, peer)) => {
                let peer = named(peer.ip());
                for line in buffer[..length].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    take(line, &inbox, peer.as_ref());
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Takes in connections for ever.
pub(super) async fn connections(listener: TcpListener, inbox: Arc<Inbox>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let inbox = Arc::downgrade(&inbox);
                tokio::spawn(async move {
                    // The connection ends with the receiver.
                    converse(stream, &inbox, named(peer.ip())).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn converse(stream: TcpStream, inbox: &std::sync::Weak<Inbox>, peer: Option<HostName>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = tokio::time::timeout(IDLE, stream.read(&mut piece)).await;
        let Ok(Ok(length @ 1..)) = read else { break };
        let Some(inbox) = inbox.upgrade() else { return };
        for byte in &piece[..length] {
            match byte {
                b'\n' => {
                    take(&line, &inbox, peer.as_ref());
                    line.clear();
                }
                // One byte too many says that the line is too long; the others need no room.
                byte if line.len() <= MAX_LINE => line.push(*byte),
                _ => {}
            }
        }
    }
    if let Some(inbox) = inbox.upgrade() {
        take(&line, &inbox, peer.as_ref());
    }
}

fn take(line: &[u8], inbox: &Inbox, peer: Option<&HostName>) {
    if line.is_empty() {
        return;
    }
    let taken = statsd::read(line).and_then(|event| match (event.host.is_some(), peer) {
        (_, Some(peer)) => Ok((event, peer.clone())),
        (true, None) => event.host.clone().map(|host| (event, host)).ok_or_else(String::new),
        (false, None) => {
            Err(format!("{} does not say which host it comes from; add `|#host:NAME`", event.name))
        }
    });
    match taken {
        Ok((event, peer)) => inbox.take(event, &peer),
        Err(what) => {
            let start = andon_core::legible::neutral(&line[..line.len().min(80)]);
            inbox.complain(format!("a line of StatsD was left out: {what}: {start}"));
        }
    }
}

/// The address of a sender that does not name itself, as a name; those of IPv6 are none.
fn named(address: IpAddr) -> Option<HostName> {
    HostName::new(address.to_canonical().to_string()).ok()
}
