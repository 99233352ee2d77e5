//! A client's connection: TLS, which version of HTTP is spoken, and then that.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::exchange::Carrier;
use crate::outgoing::Client;
use crate::proxy::Shared;
use crate::site::Door;
use crate::worker::{Arrival, Phase};

mod http1;
mod http2;
mod record;
mod tunnel;

/// What an HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection with nothing under way is kept when the proxy leaves. Closed at once, it would be closed under
/// a request that is on its way; that request is answered, and told that it was the last one.
const FAREWELL: Duration = Duration::from_secs(2);

/// A client's socket.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What all requests of a connection have in common.
pub(crate) struct Place {
    shared: Arc<Shared>,
    address: SocketAddr,
    peer: SocketAddr,
    is_tls: bool,
    worker: usize,
    phase: watch::Receiver<Phase>,
}

/// What a connection knows of the configuration; made anew after a reload.
struct View {
    generation: u64,
    door: Arc<Door>,
    carrier: Carrier,
    client: Client,
    /// Whether the listener is still in the configuration.
    is_current: bool,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(
    worker: usize,
    shared: Arc<Shared>,
    arrival: Arrival,
    phase: watch::Receiver<Phase>,
) {
    let Some(door) = shared.door(arrival.address) else { return };
    let Ok(stream) = TcpStream::from_std(arrival.stream) else { return };
    // Without it a response may wait for an acknowledgement; with it nothing but a little bandwidth is lost.
    let _ = stream.set_nodelay(true);
    let mut stream = match &door.keyring {
        None => Stream::Plain(stream),
        Some(keyring) => {
            let handshake = TlsAcceptor::from(keyring.current()).accept(stream);
            match tokio::time::timeout(door.timeouts.head, handshake).await {
                Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                _ => return,
            }
        }
    };
    let is_tls = matches!(stream, Stream::Tls(_));
    let here = Place { shared, address: arrival.address, peer: arrival.client, is_tls, worker, phase };
    let mut read = BytesMut::with_capacity(8 * 1024);
    match is_http2(&mut stream, &mut read, &door, here.phase.clone()).await {
        Some(true) => http2::serve(here, door, stream, read).await,
        Some(false) => http1::serve(here, door, stream, read).await,
        None => {}
    }
}

/// Finds out which version the client speaks. `None`: it said nothing in time.
async fn is_http2(
    stream: &mut Stream,
    read: &mut BytesMut,
    door: &Door,
    phase: watch::Receiver<Phase>,
) -> Option<bool> {
    if let Stream::Tls(stream) = stream
        && let Some(protocol) = stream.get_ref().1.alpn_protocol()
    {
        return Some(protocol == b"h2");
    }
    let first = async {
        while read.len() < PREFACE.len() && PREFACE.starts_with(read) {
            if stream.read_buf(read).await.ok()? == 0 {
                return None;
            }
        }
        Some(read.starts_with(PREFACE))
    };
    let timeouts = &door.timeouts;
    tokio::select! {
        first = tokio::time::timeout(timeouts.idle.min(timeouts.head * 2), first) => first.ok().flatten(),
        () = farewell(phase) => None,
    }
}

/// Waits until the proxy leaves and what was on its way then has had the time to arrive.
async fn farewell(mut phase: watch::Receiver<Phase>) {
    // The sender lives as long as the proxy.
    let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
    tokio::time::sleep(FAREWELL).await;
}

impl Place {
    /// What the configuration says about this connection.
    fn view(&self, door: Arc<Door>) -> View {
        View {
            generation: self.shared.generation(),
            carrier: Carrier { pool: Arc::clone(&door.pool), timeouts: door.timeouts, worker: self.worker },
            client: Client::new(self.peer.ip(), self.is_tls, &door.forwarded),
            door,
            is_current: true,
        }
    }

    /// Brings the view up to date after a reload.
    fn refresh(&self, view: &mut View) {
        if view.generation == self.shared.generation() {
            return;
        }
        match self.shared.door(self.address) {
            Some(door) => *view = self.view(door),
            None => view.is_current = false,
        }
    }

    /// Whether the proxy is leaving.
    fn is_leaving(&self) -> bool {
        *self.phase.borrow() != Phase::Serving
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
