//! Shares into waves of absolute size.

use crate::name::HostName;
use crate::quantity::Share;

/// Below so many hosts, each is a wave of its own.
const SMALL_FLEET: u32 = 4;

/// The sizes of the waves of `total` hosts. Each share is taken of all of them, at least one host; the last wave takes the
/// rest.
pub(super) fn sizes(total: u32, shares: &[Share]) -> Vec<u32> {
    if total < SMALL_FLEET {
        return vec![1; total as usize];
    }
    let mut sizes = Vec::new();
    let mut rest = total;
    for (index, share) in shares.iter().enumerate() {
        if rest == 0 {
            break;
        }
        let last = index + 1 == shares.len();
        let size = if last { rest } else { share.floor_of(total).max(1).min(rest) };
        sizes.push(size);
        rest -= size;
    }
    if rest > 0 {
        sizes.push(rest);
    }
    sizes
}

/// How many of `total` changing hosts stay on the old release until all others have changed, where a release is judged.
pub(super) fn held_back(total: u32) -> u32 {
    const SHARE: Share = Share::Percent(2);
    SHARE.floor_of(total).max(1)
}

/// Splits `hosts` into waves of these [`sizes`].
pub(super) fn split(hosts: &[HostName], shares: &[Share]) -> Vec<Vec<HostName>> {
    let total = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let mut rest = hosts;
    let mut waves = Vec::new();
    for size in sizes(total, shares) {
        let (wave, remaining) = rest.split_at(rest.len().min(size as usize));
        waves.push(wave.to_vec());
        rest = remaining;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Rollout;

    fn sizes_of(hosts: usize) -> Vec<usize> {
        let hosts: Vec<HostName> = (1..=hosts).map(|n| HostName::new(format!("web{n}")).unwrap()).collect();
        let waves = split(&hosts, &Rollout::default().waves);
        assert_eq!(waves.concat(), hosts, "every host is in one wave, in order");
        waves.iter().map(Vec::len).collect()
    }

    #[test]
    fn waves_grow_and_take_every_host_once() {
        assert_eq!(sizes_of(0), Vec::<usize>::new());
        assert_eq!(sizes_of(1), [1]);
        assert_eq!(sizes_of(3), [1, 1, 1]);
        assert_eq!(sizes_of(8), [1, 1, 2, 4]);
        assert_eq!(sizes_of(20), [1, 2, 5, 12]);
        assert_eq!(sizes_of(1000), [1, 100, 250, 649]);
    }
}
