//! Streams of events to clients: bounded in number, cut when a client does not read, and ended in good time before the
//! server is. A client whose stream ends asks again from where it was; so an end costs nobody anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::reply::{ErrorCode, Refused};

/// Streams at once. Together with them there is room for as many other connections.
pub(super) const STREAMS: usize = 1000;
/// A client that takes nothing for so long is cut.
const SLOW: Duration = Duration::from_secs(20);
/// A stream ends after this time, a little more or less, so that not all clients come back at once.
const AGE: Duration = Duration::from_secs(3600);
/// Pieces that wait for a client. Each is shared by all clients that get it.
const WAITING: usize = 4;
/// How often something is sent when nothing happens, so that whoever stands between does not close the connection.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a connection is doing, as far as its age is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrying {
    Answers,
    Stream,
    Ended,
}

/// A connection, as those see it who answer on it.
#[derive(Debug, Clone)]
pub(super) struct Carrier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    carrying: watch::Sender<Carrying>,
    /// Requests that are being answered.
    asked: watch::Sender<usize>,
    ends: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl Carrier {
    /// A connection of a server that ends when `ends` becomes true; `places` are free for streams.
    pub(super) fn new(ends: watch::Receiver<bool>, places: Arc<Semaphore>) -> Self {
        let (carrying, asked) = (watch::Sender::new(Carrying::Answers), watch::Sender::new(0));
        Self(Arc::new(Inner { carrying, asked, ends, places }))
    }

    /// A request is being answered until this is dropped.
    pub(super) fn answering(&self) -> Answering {
        self.0.asked.send_modify(|asked| *asked += 1);
        Answering(self.clone())
    }

    /// Becomes ready when the connection is to be closed: after `age`, but not while it answers; or after its stream.
    pub(super) async fn is_old(&self, age: Duration) {
        let mut carrying = self.0.carrying.subscribe();
        tokio::select! {
            () = sleep(age) => {}
            _ = carrying.wait_for(|now| *now == Carrying::Ended) => return,
        }
        let _ = carrying.wait_for(|now| *now != Carrying::Stream).await;
        let _ = self.0.asked.subscribe().wait_for(|asked| *asked == 0).await;
    }

    /// Opens a stream on this connection, and gives the answer that carries it.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`] when there are as many as there may be.
    pub(super) fn open(&self) -> Result<(Outlet, Response<Body>), Refused> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| {
            let what = format!("there are {STREAMS} streams already");
            Refused::new(ErrorCode::TooMany, what, "ask again in a while").again_in(Duration::from_secs(10))
        })?;
        self.0.carrying.send_replace(Carrying::Stream);
        let (sender, receiver) = mpsc::channel(WAITING);
        let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, Infallible>));
        let mut response = Response::new(body);
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        // nginx would keep events until it has a whole buffer of them.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        let spread = u64::try_from(Arc::as_ptr(&self.0).addr()).unwrap_or(0) / 64 % 600;
        let until = Instant::now() + AGE - Duration::from_secs(spread);
        Ok((Outlet { sender, until, carrier: self.clone(), _place: place }, response))
    }
}

/// See [`Carrier::answering`].
#[derive(Debug)]
pub(super) struct Answering(Carrier);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.asked.send_modify(|asked| *asked -= 1);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Carrier {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Refused::new(
                ErrorCode::Unavailable,
                "this connection carries no streams",
                "ask the server itself",
            )
        })
    }
}

/// The client is gone, does not read, or has had its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut;

/// The near end of a stream. The stream ends when it is dropped.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Bytes>,
    until: Instant,
    carrier: Carrier,
    _place: OwnedSemaphorePermit,
}

impl Outlet {
    /// Sends a piece, once there is room for it.
    ///
    /// # Errors
    /// [`Cut`]: nothing more can be sent.
    pub(super) async fn send(&self, piece: Bytes) -> Result<(), Cut> {
        match timeout(SLOW, self.sender.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Cut),
        }
    }

    /// Becomes ready when the stream is to end: the client is gone, the server ends, or the stream is old.
    pub(super) async fn over(&self) {
        let mut ends = self.carrier.0.ends.clone();
        tokio::select! {
            () = self.sender.closed() => {}
            _ = ends.wait_for(|ends| *ends) => {}
            () = sleep_until(self.until) => {}
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.carrier.0.carrying.send_replace(Carrying::Ended);
    }
}

/// An event as it is sent. `data` is one line.
pub(super) fn frame(name: &str, id: Option<u64>, data: &str) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}

/// What is sent when nothing happens.
pub(super) fn heartbeat() -> Bytes {
    Bytes::from_static(b":\n\n")
}
