//! Leases: who may act, until when, and under which fence. The decision is pure; the moment comes
//! from the caller.

use std::fmt;
use std::time::Duration;

use andon_core::time::Time;

use crate::batch::check_name;
use crate::error::StoreError;

/// The longest time for which a lease is granted or renewed at once.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Who asks for a lease. Two are the same holder when their `id` is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Different for every process that ever runs.
    pub id: String,
    /// For people, such as `andon deploy, ada on build-1, process 4711`.
    pub description: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// A lease as it was granted or last renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for, such as a service in an environment.
    pub name: String,
    /// Who has it.
    pub holder: Holder,
    /// Higher than every fence that this ledger granted before, whatever the name. Hosts refuse
    /// orders with a lower fence than they have seen.
    pub fence: u64,
    /// The first moment at which another holder may take it.
    pub until: Time,
}

/// What to do with a request for a lease.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Grant it anew, under the next fence.
    Grant,
    /// Keep its fence, and let it end when this says.
    Renew(Lease),
}

impl Lease {
    /// Whether `holder` may have what is now `current`. A lease that ran out is granted anew even to
    /// the one who had it, so that the lapse shows in the fence.
    ///
    /// A renewal never brings the end forward: when the caller's clock went backwards, others with a
    /// right clock must still find the lease taken for as long as its holder was told.
    pub(crate) fn rule(
        current: Option<&Lease>,
        holder: &Holder,
        ttl: Duration,
        now: Time,
    ) -> Result<Ruling, StoreError> {
        match current {
            Some(lease) if now >= lease.until => Ok(Ruling::Grant),
            Some(lease) if lease.holder.id == holder.id => {
                Ok(Ruling::Renew(Lease { until: lease.until.max(now + ttl), ..lease.clone() }))
            }
            Some(lease) => Err(StoreError::Leased {
                name: lease.name.clone(),
                by: lease.holder.clone(),
                until: lease.until,
            }),
            None => Ok(Ruling::Grant),
        }
    }

    /// Refuses a request that no ledger takes.
    pub(crate) fn check(name: &str, holder: &Holder, ttl: Duration) -> Result<(), StoreError> {
        check_name("the name of a lease", name)?;
        check_name("the id of a holder", &holder.id)?;
        check_name("the description of a holder", &holder.description)?;
        if ttl < Duration::from_millis(1) || ttl > MAX_LEASE {
            return Err(StoreError::Invalid(format!(
                "a lease lasts from one millisecond to {} hours; {ttl:?} was asked for",
                MAX_LEASE.as_secs() / 3600
            )));
        }
        Ok(())
    }

    /// Whether `other` is this very grant, renewed or not.
    pub(crate) fn is_same_grant(&self, other: &Lease) -> bool {
        self.name == other.name && self.holder.id == other.holder.id && self.fence == other.fence
    }

    /// What to tell the holder of a lease that is gone.
    pub(crate) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { name: self.name.clone(), fence: self.fence }
    }
}
