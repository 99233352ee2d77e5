//! What the proxy counts, for Prometheus and for whoever asks whether the proxy is well.
//!
//! Served over plain HTTP on an address of its own, which users do not reach: `GET /metrics` and `GET /healthz`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use exposition::{PoolNumbers, Snapshot};

mod exposition;

/// Readers at a time. More wait.
const MAX_READERS: usize = 16;

/// For the head of a question.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// For a whole conversation.
const READER_TIME: Duration = Duration::from_secs(300);

/// The pause after the system could not accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the numbers come from.
pub trait Source: Send + Sync + 'static {
    /// All numbers of this moment.
    fn snapshot(&self) -> Snapshot;
    /// Whether the proxy accepts nothing any more.
    fn is_leaving(&self) -> bool;
}

/// The address for readers, bound.
#[derive(Debug)]
pub struct MetricsListener(TcpListener);

impl MetricsListener {
    /// Takes over a listening socket.
    ///
    /// # Errors
    /// When the system does not let it be non-blocking.
    pub fn new(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket).map(Self)
    }

    /// The address that readers connect to.
    ///
    /// # Errors
    /// The system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers readers for as long as it is polled.
    pub async fn serve<S: Source>(self, source: Arc<S>) {
        let seats = Arc::new(Semaphore::new(MAX_READERS));
        loop {
            // The semaphore is never closed.
            let seat = Arc::clone(&seats).acquire_owned().await;
            let Ok((stream, _)) = self.0.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let source = Arc::clone(&source);
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = answer(&*source, &request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(16 * 1024);
                let conversation = server.serve_connection(TokioIo::new(stream), service);
                // A reader that breaks off or never ends has only itself to blame.
                let _ = tokio::time::timeout(READER_TIME, conversation).await;
                drop(seat);
            });
        }
    }
}

fn answer<S: Source>(source: &S, request: &Request<Incoming>) -> Response<String> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", source.snapshot().render())
        }
        (&Method::GET | &Method::HEAD, "/healthz") if source.is_leaving() => {
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "leaving\n".to_owned())
        }
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
        (_, "/metrics" | "/healthz") => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics and /healthz\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    struct Quiet;

    impl Source for Quiet {
        fn snapshot(&self) -> Snapshot {
            Snapshot::default()
        }

        fn is_leaving(&self) -> bool {
            true
        }
    }

    async fn ask(address: SocketAddr, question: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn readers_get_what_they_ask_for() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = MetricsListener::new(socket).unwrap();
        let address = listener.local_address().unwrap();
        tokio::spawn(listener.serve(Arc::new(Quiet)));
        let end = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let metrics = ask(address, &format!("GET /metrics {end}")).await;
        assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("andon_proxy_connections 0\n"));
        assert!(ask(address, &format!("GET /healthz {end}")).await.starts_with("HTTP/1.1 503"));
        assert!(ask(address, &format!("POST /metrics {end}")).await.starts_with("HTTP/1.1 405"));
        assert!(ask(address, &format!("GET / {end}")).await.starts_with("HTTP/1.1 404"));
    }
}
