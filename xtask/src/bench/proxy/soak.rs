//! Many millions of requests through the built-in proxy, with its memory printed meanwhile.

use std::time::{Duration, Instant};

use super::contestant::Stage;
use super::{CONNECTIONS, wrk};
use crate::failure::Failure;

/// Between two looks at the memory.
const LOOK: Duration = Duration::from_secs(30);

/// Looks that warm the proxy up: buffers and pools reach their size.
const SETTLING: usize = 2;

/// The growth of memory over the whole soak that is noise, in KiB.
const NOISE_KIB: u64 = 4096;

/// Sends at least `requests`, and fails when the memory has grown or a request was lost.
pub(in crate::bench) fn soak(requests: u64) -> Result<(), Failure> {
    let stage = Stage::prepare()?;
    let proxy = stage.andon()?;
    let (began, mut sent, mut settled, mut looks) = (Instant::now(), 0_u64, None, 0);
    println!("{:>10} {:>14} {:>12} {:>12} {:>8}", "seconds", "requests", "requests/s", "RSS KiB", "failed");
    while sent < requests || looks <= SETTLING {
        let figures = wrk::run(proxy.address(), CONNECTIONS, LOOK, stage.directory())?;
        sent += figures.requests;
        looks += 1;
        let resident = proxy.resident_kib();
        println!(
            "{:>10} {sent:>14} {:>12.0} {resident:>12} {:>8}",
            began.elapsed().as_secs(),
            figures.rate,
            figures.failed
        );
        if figures.failed > 0 {
            return Err(Failure::Found(format!("{} requests failed", figures.failed)));
        }
        if looks == SETTLING {
            settled = Some(resident);
        }
        if let Some(settled) = settled.filter(|settled| resident > settled + NOISE_KIB) {
            return Err(Failure::Found(format!("the memory has grown from {settled} to {resident} KiB")));
        }
    }
    println!("{sent} requests, none failed, and the memory has not grown");
    Ok(())
}
