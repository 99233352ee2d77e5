//! Active health checks.
//!
//! Each server is asked on a connection of its own, so that a check sees what a new client would see. A server that no
//! check has seen well yet is found sick by a single failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::HealthCheck;
use crate::pool::{Pool, Server};
use crate::proxy::Shared;

/// Bytes of a response that are looked at: more than any status line.
const STATUS_LINE: usize = 1024;

/// Checks the servers of all pools, for as long as it is polled. Begins anew with each configuration.
pub(crate) async fn watch(shared: Arc<Shared>, mut changed: watch::Receiver<u64>) {
    loop {
        changed.mark_unchanged();
        // Dropping the set ends its tasks.
        let mut checks = JoinSet::new();
        for pool in shared.site().pools.values() {
            for server in pool.servers() {
                match &pool.config().health_check {
                    Some(_) => {
                        checks.spawn(keep_checking(
                            Arc::clone(&shared),
                            Arc::clone(pool),
                            Arc::clone(server),
                        ));
                    }
                    // It may have been found sick under a configuration that checked it.
                    None => server.found(Ok(())),
                }
            }
        }
        if changed.changed().await.is_err() {
            return;
        }
    }
}

/// Checks one server again and again.
async fn keep_checking(shared: Arc<Shared>, pool: Arc<Pool>, server: Arc<Server>) {
    let Some(check) = pool.config().health_check.as_ref() else { return };
    let (mut successes, mut failures) = (0_u32, 0_u32);
    let mut was_well = server.was_seen_well();
    loop {
        match once(check, server.address()).await {
            Ok(()) => {
                (successes, failures) = (successes.saturating_add(1), 0);
                if !server.is_well() && successes >= check.healthy_after {
                    server.found(Ok(()));
                    pool.wake();
                    shared.tell(format!("{} of {} is well again", server.name(), pool.name()));
                }
                if server.is_well() {
                    was_well = true;
                    server.saw_well();
                }
            }
            Err(why) => {
                (successes, failures) = (0, failures.saturating_add(1));
                let needed = if was_well { check.unhealthy_after } else { 1 };
                if failures >= needed {
                    if server.is_well() {
                        shared.tell(format!("{} of {} is sick: {why}", server.name(), pool.name()));
                    }
                    server.found(Err(why));
                }
            }
        }
        tokio::time::sleep(check.interval).await;
    }
}

/// Makes one check.
async fn once(check: &HealthCheck, address: &str) -> Result<(), String> {
    let host = check.host.as_deref().unwrap_or(address);
    let path = &check.path;
    match tokio::time::timeout(check.timeout, status(address, host, path)).await {
        Err(_) => Err(format!("GET {path} took longer than {}", span(check.timeout))),
        Ok(Err(error)) => Err(format!("GET {path} failed: {error}")),
        Ok(Ok(200..=399)) => Ok(()),
        Ok(Ok(status)) => Err(format!("GET {path} was answered with {status}")),
    }
}

async fn status(address: &str, host: &str, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: andon-proxy\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::with_capacity(STATUS_LINE);
    while !response.contains(&b'\n') && response.len() < STATUS_LINE {
        if stream.read_buf(&mut response).await? == 0 {
            break;
        }
    }
    let digits = response.strip_prefix(b"HTTP/1.1 ").or_else(|| response.strip_prefix(b"HTTP/1.0 "));
    let digits = digits.and_then(|rest| rest.get(..3)).and_then(|digits| std::str::from_utf8(digits).ok());
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| std::io::Error::other("it does not speak HTTP"))
}

fn span(span: Duration) -> String {
    andon_core::quantity::format_duration(span)
}
