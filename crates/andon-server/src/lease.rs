//! The right to drive the deployments of a scope, held by one process at a time and renewed while it lives.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use andon_core::person::Person;
use andon_core::time::Time;
use andon_store::{Holder, Lease, Ledger, StoreError};

/// How long a lease holds without being renewed.
const TERM: Duration = Duration::from_secs(30);
/// How often it is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(10);

/// A driver in this process, as a holder of leases. Unique among all drivers of all processes of every boot: two
/// of one process must not take each other's lease for their own.
/// `machine` is the one that this process runs on, whoever it acts for.
pub(crate) fn holder(machine: &str, me: &Person) -> Holder {
    static HOLDERS: AtomicU64 = AtomicU64::new(1);
    let (pid, number) = (std::process::id(), HOLDERS.fetch_add(1, Ordering::Relaxed));
    let id = format!("{machine}/{}/{pid}/{}/{number}", boot_id(), started(pid).unwrap_or_default());
    Holder { id, description: format!("{} on {machine} (process {pid})", me.name) }
}

/// Takes or renews the lease on `name`. A holder of this machine whose process is gone is not waited for.
pub(crate) async fn take(
    ledger: &dyn Ledger,
    name: &str,
    holder: &Holder,
    now: Time,
) -> Result<Lease, StoreError> {
    match ledger.lease(name, holder, TERM, now).await {
        Err(StoreError::Leased { by, .. }) if is_gone(holder, &by) => {
            ledger.steal(name, holder, TERM, now).await
        }
        other => other,
    }
}

/// Takes the lease from whoever has it.
pub(crate) async fn take_over(
    ledger: &dyn Ledger,
    name: &str,
    holder: &Holder,
    now: Time,
) -> Result<Lease, StoreError> {
    ledger.steal(name, holder, TERM, now).await
}

/// Whether `other` was a process of this very boot of this machine that does not live any more.
fn is_gone(me: &Holder, other: &Holder) -> bool {
    let parse = |holder: &Holder| {
        let mut fields = holder.id.split('/');
        let mut next = || fields.next().map(str::to_owned);
        Some((next()?, next()?, next()?.parse::<u32>().ok()?, next()?))
    };
    match (parse(me), parse(other)) {
        (Some(mine), Some((machine, boot, pid, start))) => {
            mine.0 == machine && mine.1 == boot && started(pid).unwrap_or_default() != start
        }
        _ => false,
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// When a process started, in clock ticks since boot: tells it from a later one with the same number.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The command's name may hold anything; the fields after it begin behind the last parenthesis.
    let after = stat.rsplit_once(')')?.1;
    after.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_is_not_gone_and_a_dead_one_is() {
        let ana = Person { name: "ana".into(), at: "10.0.0.7 (token ci)".into() };
        let me = holder("laptop", &ana);
        assert!(me.id.starts_with("laptop/"), "a visitor's address says nothing of the process");
        assert!(!is_gone(&me, &me));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let fields: Vec<&str> = me.id.split('/').collect();
        let of = |pid: u32, start: &str| Holder {
            id: format!("{}/{}/{pid}/{start}", fields[0], fields[1]),
            description: String::new(),
        };
        child.wait().unwrap();
        assert!(is_gone(&me, &of(child.id(), "1")));
        let elsewhere = Holder { id: format!("desk/{}/1/1", fields[1]), description: String::new() };
        assert!(!is_gone(&me, &elsewhere), "another machine's processes cannot be seen from here");
    }
}
