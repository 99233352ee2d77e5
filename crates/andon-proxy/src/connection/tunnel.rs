//! Bytes both ways, after an upgrade.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Alarm;
use crate::wire::Wire;

/// For a client, once its server has ended the conversation.
const LINGER: Duration = Duration::from_secs(2);

/// What came of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Both sides have ended it.
    InPeace,
    /// The client broke off.
    ByClient,
    /// The server broke off.
    ByServer,
    /// Nothing flowed for too long.
    Idle,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// The end was passed on.
    is_shut: bool,
    bytes: u64,
}

/// Which side an error came from.
enum Side {
    From,
    To,
}

/// Carries bytes between two connections until both have ended. Comes back with the bytes that went to the client.
/// A server that is finished has no more use for its client: what is left to the client is short.
pub(super) async fn carry<C, S>(
    client: &mut Wire<C>,
    server: &mut Wire<S>,
    idle: Duration,
    is_cut: impl Fn() -> bool,
) -> (Closed, u64)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut alarm = Alarm::new(idle.min(LINGER));
    let closed = poll_fn(|cx| {
        let (before, was_shut) = (up.bytes + down.bytes, down.is_shut);
        match up.poll(cx, client, server) {
            Err(Side::From) => return Poll::Ready(Closed::ByClient),
            Err(Side::To) => return Poll::Ready(Closed::ByServer),
            Ok(()) => {}
        }
        match down.poll(cx, server, client) {
            Err(Side::From) => return Poll::Ready(Closed::ByServer),
            Err(Side::To) => return Poll::Ready(Closed::ByClient),
            Ok(()) => {}
        }
        if up.is_shut && down.is_shut {
            return Poll::Ready(Closed::InPeace);
        }
        if server.over && is_cut() {
            return Poll::Ready(Closed::ByServer);
        }
        if before != up.bytes + down.bytes || (down.is_shut && !was_shut) {
            alarm.clear();
        }
        alarm.ensure(if down.is_shut { idle.min(LINGER) } else { idle });
        alarm.poll(cx).map(|()| if down.is_shut { Closed::InPeace } else { Closed::Idle })
    })
    .await;
    (closed, down.bytes)
}

impl Way {
    /// Carries what can be carried now.
    fn poll<A, B>(&mut self, cx: &mut Context<'_>, from: &mut Wire<A>, to: &mut Wire<B>) -> Result<(), Side>
    where
        A: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        while !self.is_shut {
            match to.poll_flush(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(Side::To),
                Poll::Ready(Ok(())) => {}
            }
            if !from.read.is_empty() {
                let data = from.read.split().freeze();
                self.bytes += data.len() as u64;
                to.put(data);
            } else if from.over {
                match Pin::new(to.stream()).poll_shutdown(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(_) => self.is_shut = true,
                }
            } else {
                match from.poll_fill(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Err(_)) => return Err(Side::From),
                    Poll::Ready(Ok(_)) => {}
                }
            }
        }
        Ok(())
    }
}
