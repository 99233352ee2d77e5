//! Shares into waves of absolute size.

use crate::name::HostName;
use crate::quantity::Share;

/// Below so many hosts, each is a wave of its own.
const SMALL_FLEET: usize = 4;

/// Splits `hosts` into waves. Each share is taken of all `hosts`, at least one host; the last wave takes the rest.
pub(super) fn split(hosts: &[HostName], shares: &[Share]) -> Vec<Vec<HostName>> {
    let total = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    if hosts.len() < SMALL_FLEET {
        return hosts.iter().map(|host| vec![host.clone()]).collect();
    }
    let mut waves = Vec::new();
    let mut rest = hosts;
    for (index, share) in shares.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        let last = index + 1 == shares.len();
        let wanted = share.floor_of(total).max(1) as usize;
        let size = if last { rest.len() } else { wanted.min(rest.len()) };
        let (wave, remaining) = rest.split_at(size);
        waves.push(wave.to_vec());
        rest = remaining;
    }
    if !rest.is_empty() {
        waves.push(rest.to_vec());
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Rollout;

    fn sizes(hosts: usize) -> Vec<usize> {
        let hosts: Vec<HostName> = (1..=hosts).map(|n| HostName::new(format!("web{n}")).unwrap()).collect();
        let waves = split(&hosts, &Rollout::default().waves);
        assert_eq!(waves.concat(), hosts, "every host is in one wave, in order");
        waves.iter().map(Vec::len).collect()
    }

    #[test]
    fn waves_grow_and_take_every_host_once() {
        assert_eq!(sizes(0), Vec::<usize>::new());
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(3), [1, 1, 1]);
        assert_eq!(sizes(8), [1, 1, 2, 4]);
        assert_eq!(sizes(20), [1, 2, 5, 12]);
        assert_eq!(sizes(1000), [1, 100, 250, 649]);
    }
}
