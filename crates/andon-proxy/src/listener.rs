//! Listening sockets: one for each address, whatever the number of workers.
//!
//! So it can be handed to the next proxy, with all connections that still wait in it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// Connections that may wait in the kernel until they are accepted.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The address as it stands in the configuration.
    pub address: SocketAddr,
    /// The socket.
    pub socket: Arc<TcpListener>,
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// The kernel's, for example that the address is taken or that the port needs a privilege.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            // `[::]:80` and `0.0.0.0:80` can then stand side by side.
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self::from_socket(address, socket.into()))
    }

    /// Takes over a socket that listens already.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking.
    pub fn inherited(address: SocketAddr, socket: OwnedFd) -> io::Result<Self> {
        let socket = TcpListener::from(socket);
        socket.set_nonblocking(true)?;
        Ok(Self::from_socket(address, socket))
    }

    /// The address with the port that the kernel chose, where the configuration left the choice to it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn from_socket(address: SocketAddr, socket: TcpListener) -> Self {
        Self { address, socket: Arc::new(socket) }
    }
}
