//! Leases: one holder at a time by the moments that the callers give, and fences that only grow.

use std::time::Duration;

use andon_core::time::Time;

use super::{Stand, holder};
use crate::{Holder, Ledger, MAX_LEASE, StoreError};

const TTL: Duration = Duration::from_millis(30_000);

/// The end of a lease is the first moment at which another holder gets it.
pub async fn a_lease_is_refused_to_others_until_it_runs_out(stand: &impl Stand) {
    let ledger = stand.open().await;
    let first = ledger.lease("shop", &holder("a"), TTL, Time(1_000)).await.expect("a free lease");
    assert_eq!(first.until, Time(31_000));
    for now in [Time(1_000), Time(30_999)] {
        let refused = ledger.lease("shop", &holder("b"), TTL, now).await;
        assert_eq!(
            refused,
            Err(StoreError::Leased { name: "shop".into(), by: holder("a"), until: Time(31_000) })
        );
    }
    ledger.lease("till", &holder("b"), TTL, Time(1_000)).await.expect("another name is free");
    let second = ledger.lease("shop", &holder("b"), TTL, Time(31_000)).await.expect("a lease that ran out");
    assert!(second.fence > first.fence);
    assert!(ledger.lease("shop", &holder("a"), TTL, Time(31_001)).await.is_err());
}

/// Also when the description of the holder changes: the id counts.
pub async fn a_renewal_keeps_the_fence(stand: &impl Stand) {
    let ledger = stand.open().await;
    let first = ledger.lease("shop", &holder("a"), TTL, Time(1_000)).await.expect("a free lease");
    let renamed = Holder { description: "renamed".into(), ..holder("a") };
    let renewed = ledger.lease("shop", &renamed, TTL, Time(30_999)).await.expect("one's own lease");
    assert_eq!((renewed.fence, renewed.until), (first.fence, Time(60_999)));
    assert!(ledger.lease("shop", &holder("b"), TTL, Time(31_000)).await.is_err());
    ledger.release(&first).await.expect("the same grant, renewed or not");
}

/// Whoever slept through the end of a lease must notice, even when nobody else took it.
pub async fn a_lapse_shows_in_the_fence_even_to_its_former_holder(stand: &impl Stand) {
    let ledger = stand.open().await;
    let first = ledger.lease("shop", &holder("a"), TTL, Time(1_000)).await.expect("a free lease");
    let again = ledger.lease("shop", &holder("a"), TTL, Time(31_000)).await.expect("free again");
    assert!(again.fence > first.fence);
    assert!(matches!(ledger.release(&first).await, Err(StoreError::LeaseLost { .. })));
}

/// Neither for others nor by a renewal: what a holder was promised stays.
pub async fn a_clock_that_goes_backwards_neither_frees_nor_shortens(stand: &impl Stand) {
    let ledger = stand.open().await;
    let first = ledger.lease("shop", &holder("a"), TTL, Time(100_000)).await.expect("a free lease");
    for now in [Time(50_000), Time(0), Time(-5), Time(i64::MIN)] {
        assert!(ledger.lease("shop", &holder("b"), TTL, now).await.is_err());
        let renewed = ledger.lease("shop", &holder("a"), TTL, now).await.expect("one's own lease");
        assert_eq!((renewed.fence, renewed.until), (first.fence, first.until));
    }
    assert!(ledger.lease("shop", &holder("b"), TTL, Time(129_999)).await.is_err());
    ledger.lease("shop", &holder("b"), TTL, Time(130_000)).await.expect("not longer than promised either");
}

/// Neither another holder, nor an older grant, nor twice.
pub async fn only_the_holder_with_that_fence_releases(stand: &impl Stand) {
    let ledger = stand.open().await;
    let lease = ledger.lease("shop", &holder("a"), TTL, Time(1_000)).await.expect("a free lease");
    let lost = Err(StoreError::LeaseLost { name: "shop".into(), fence: lease.fence });
    let foreign = crate::Lease { holder: holder("b"), ..lease.clone() };
    assert_eq!(ledger.release(&foreign).await, lost);
    let older = crate::Lease { fence: lease.fence - 1, ..lease.clone() };
    assert!(ledger.release(&older).await.is_err());
    assert!(ledger.lease("shop", &holder("b"), TTL, Time(1_001)).await.is_err(), "still held");

    ledger.release(&lease).await.expect("one's own lease");
    assert_eq!(ledger.release(&lease).await, lost);
    let next = ledger.lease("shop", &holder("b"), TTL, Time(1_001)).await.expect("free at once");
    assert!(next.fence > lease.fence);
    assert_eq!(ledger.release(&lease).await, lost);
}

/// The former holder finds out at its next renewal and at its release.
pub async fn stealing_takes_the_lease_at_once(stand: &impl Stand) {
    let ledger = stand.open().await;
    let first = ledger.lease("shop", &holder("a"), TTL, Time(1_000)).await.expect("a free lease");
    let stolen = ledger.steal("shop", &holder("b"), TTL, Time(1_001)).await.expect("taken over");
    assert!(stolen.fence > first.fence);
    let refused = ledger.lease("shop", &holder("a"), TTL, Time(1_002)).await;
    assert_eq!(
        refused,
        Err(StoreError::Leased { name: "shop".into(), by: holder("b"), until: stolen.until })
    );
    assert!(matches!(ledger.release(&first).await, Err(StoreError::LeaseLost { .. })));
    let free = ledger.steal("till", &holder("b"), TTL, Time(1_001)).await.expect("a free one too");
    assert!(free.fence > stolen.fence);
    let own = ledger.steal("till", &holder("b"), TTL, Time(1_001)).await.expect("one's own too");
    assert!(own.fence > free.fence);
}

/// A release forgets the lease and never the fence.
pub async fn fences_grow_across_names_and_handles(stand: &impl Stand) {
    let mut fences = Vec::new();
    for round in 0..4 {
        let ledger = stand.open().await;
        for name in ["shop", "till"] {
            let lease = ledger.lease(name, &holder("a"), TTL, Time(round)).await.expect("a free lease");
            fences.push(lease.fence);
            ledger.release(&lease).await.expect("one's own lease");
        }
    }
    assert!(fences.windows(2).all(|pair| pair[0] < pair[1]), "{fences:?}");
    assert!(fences[0] > 0);
}

/// All the others are told who has it.
pub async fn of_many_who_ask_at_once_one_gets_the_lease(stand: &impl Stand) {
    let mut tasks = Vec::new();
    for number in 0..8 {
        let ledger = stand.open().await;
        tasks.push(tokio::spawn(async move {
            ledger.lease("shop", &holder(&number.to_string()), TTL, Time(1_000)).await
        }));
    }
    let (mut winners, mut named) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.expect("a task") {
            Ok(lease) => winners.push(lease.holder),
            Err(StoreError::Leased { by, .. }) => named.push(by),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((winners.len(), named.len()), (1, 7));
    assert!(named.iter().all(|by| *by == winners[0]));
}

/// No lease is endless, and none is over when it begins.
pub async fn a_lease_out_of_bounds_is_refused(stand: &impl Stand) {
    let ledger = stand.open().await;
    for ttl in [Duration::ZERO, MAX_LEASE + Duration::from_millis(1), Duration::MAX] {
        let refused = ledger.lease("shop", &holder("a"), ttl, Time(0)).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{ttl:?}");
        assert!(ledger.steal("shop", &holder("a"), ttl, Time(0)).await.is_err());
    }
    assert!(ledger.lease("", &holder("a"), TTL, Time(0)).await.is_err());
    assert!(ledger.lease("shop", &holder(""), TTL, Time(0)).await.is_err());
}
