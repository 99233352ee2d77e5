//! How often one may try. Sign-ins wait longer with every failure, for each user and each address, and all of them together
//! are bounded; requests are only kept from being without measure. The memory is bounded as well: when it is full, what was
//! seen longest ago is forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use andon_core::time::Time;

/// The most users and addresses that are remembered.
const MOST: usize = 10_000;
/// Failures from an address before it has to wait.
const FREE_ADDRESS: u32 = 5;
/// The longest wait of an address.
const LONGEST_ADDRESS: Duration = Duration::from_secs(15 * 60);
/// Failures for a user before one has to wait: more, since a stranger can bring them about.
const FREE_USER: u32 = 10;
/// The longest wait for a user: short, so that a stranger cannot keep somebody out.
const LONGEST_USER: Duration = Duration::from_secs(60);
/// Failures are forgotten after this time without a further one.
const FORGOTTEN: Duration = Duration::from_secs(3600);
/// Sign-ins at once, from anywhere, and how many more come up every second.
const ALL_TOGETHER: (f64, f64) = (50.0, 5.0);
/// Requests at once of one visitor or address, and how many more come up every second.
const REQUESTS: (f64, f64) = (2000.0, 500.0);
/// People from one address who are sent to another system at once, and how many more come up every second.
const LEAVING: (f64, f64) = (20.0, 0.2);
/// Changes at once of what is a visitor's own and needs no role, and how many more come up every second: each stays in the
/// ledger.
const OWN: (f64, f64) = (60.0, 1.0 / 60.0);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    User(String),
    Address(String),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Time,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    last: Time,
}

impl Bucket {
    /// Takes one; else says how long until there is one.
    fn take(&mut self, (most, per_second): (f64, f64), now: Time) -> Result<(), Duration> {
        self.left = (self.left + now.since(self.last).as_secs_f64() * per_second).min(most);
        self.last = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / per_second))
    }
}

/// Sign-ins that are being tried.
#[derive(Debug, Default)]
pub struct SignIns {
    held: Mutex<(BTreeMap<Who, Failures>, Option<Bucket>)>,
}

impl SignIns {
    /// Counts a try before it is made, so that many at the same moment are no way around; [`SignIns::succeeded`] takes it
    /// back.
    ///
    /// # Errors
    /// How long to wait: nothing is tried before.
    pub fn begin(&self, user: &str, address: IpAddr, now: Time) -> Result<(), Duration> {
        let mut held = lock(&self.held);
        let (failures, bucket) = &mut *held;
        let both = of(user, address);
        let waits = both.iter().filter_map(|(who, free, longest)| {
            let failed = failures.get(who)?;
            let over = failed.last + delay(failed.count, *free, *longest);
            (now < over).then(|| over.since(now))
        });
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        bucket.get_or_insert(Bucket { left: ALL_TOGETHER.0, last: now }).take(ALL_TOGETHER, now)?;
        for (who, ..) in both {
            make_room(failures, &who, |failed| failed.last);
            let failed = failures.entry(who).or_insert(Failures { count: 0, last: now });
            let old = now.since(failed.last) >= FORGOTTEN;
            *failed = Failures { count: if old { 1 } else { failed.count.saturating_add(1) }, last: now };
        }
        Ok(())
    }

    /// The try was right: the user's failures are forgotten. Of the address only this try is, since it may have many users.
    pub fn succeeded(&self, user: &str, address: IpAddr) {
        let mut held = lock(&self.held);
        let [(user, ..), (address, ..)] = of(user, address);
        held.0.remove(&user);
        if let Some(failed) = held.0.get_mut(&address) {
            failed.count = failed.count.saturating_sub(1);
        }
    }
}

fn of(user: &str, address: IpAddr) -> [(Who, u32, Duration); 2] {
    let user = Who::User(user.chars().take(100).collect());
    [(user, FREE_USER, LONGEST_USER), (Who::Address(network(address)), FREE_ADDRESS, LONGEST_ADDRESS)]
}

/// After the free ones 1 s, 2 s, 4 s, until `longest`.
fn delay(count: u32, free: u32, longest: Duration) -> Duration {
    if count < free {
        return Duration::ZERO;
    }
    Duration::from_secs(1u64 << (count - free).min(20)).min(longest)
}

/// Whoever has one IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Requests of visitors and addresses.
#[derive(Debug, Default)]
pub struct Requests {
    held: Mutex<BTreeMap<String, Bucket>>,
}

impl Requests {
    /// Counts a request of a visitor.
    ///
    /// # Errors
    /// How long to wait.
    pub fn of_visitor(&self, name: &str, now: Time) -> Result<(), Duration> {
        self.take(format!("visitor {name}"), REQUESTS, now)
    }

    /// Counts a request of somebody unknown.
    ///
    /// # Errors
    /// How long to wait.
    pub fn of_address(&self, address: IpAddr, now: Time) -> Result<(), Duration> {
        self.take(format!("address {}", network(address)), REQUESTS, now)
    }

    /// Counts somebody who is sent to another system that signs people in.
    ///
    /// # Errors
    /// How long to wait.
    pub fn of_leaving(&self, address: IpAddr, now: Time) -> Result<(), Duration> {
        self.take(format!("leaving {}", network(address)), LEAVING, now)
    }

    /// Counts a change of what is a visitor's own: their tokens, subscriptions and password.
    ///
    /// # Errors
    /// How long to wait.
    pub fn of_own(&self, name: &str, now: Time) -> Result<(), Duration> {
        self.take(format!("own {name}"), OWN, now)
    }

    fn take(&self, who: String, (most, per_second): (f64, f64), now: Time) -> Result<(), Duration> {
        let mut held = lock(&self.held);
        make_room(&mut held, &who, |bucket| bucket.last);
        held.entry(who).or_insert(Bucket { left: most, last: now }).take((most, per_second), now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets the tenth that was seen longest ago when there is no room for `new`.
fn make_room<K: Ord + Clone, V>(held: &mut BTreeMap<K, V>, new: &K, last: impl Fn(&V) -> Time) {
    if held.len() < MOST || held.contains_key(new) {
        return;
    }
    let mut ages: Vec<Time> = held.values().map(&last).collect();
    ages.sort_unstable();
    if let Some(limit) = ages.get(MOST / 10) {
        held.retain(|_, value| last(value) > *limit);
    }
    // All of the same age.
    if held.len() >= MOST {
        held.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_fails_waits_longer_each_time_and_nobody_waits_for_ever() {
        let tries = SignIns::default();
        let here = address("192.0.2.1");
        for _ in 0..FREE_ADDRESS {
            assert_eq!(tries.begin("ana", here, Time(0)), Ok(()));
        }
        assert_eq!(tries.begin("ana", here, Time(0)), Err(Duration::from_secs(1)));
        assert_eq!(tries.begin("ben", here, Time(500)), Err(Duration::from_millis(500)), "the address waits");
        assert_eq!(tries.begin("ben", address("192.0.2.2"), Time(500)), Ok(()), "others do not");
        assert_eq!(tries.begin("ana", here, Time(1000)), Ok(()));
        assert_eq!(tries.begin("ana", here, Time(1000)), Err(Duration::from_secs(2)));
        // A stranger who fails from many places cannot keep ana out for more than a minute.
        for third in 0..200 {
            let _ = tries.begin("ana", address(&format!("198.51.{third}.1")), Time(100_000 + third * 61_000));
        }
        let late = Time(100_000 + 199 * 61_000);
        assert!(tries.begin("ana", address("203.0.113.9"), late).unwrap_err() <= LONGEST_USER);
        // Neighbours in one IPv6 network are one.
        for last in 1..=FREE_ADDRESS {
            assert_eq!(tries.begin("cid", address(&format!("2001:db8::{last}")), late), Ok(()));
        }
        assert!(tries.begin("dan", address("2001:db8::ffff"), late).is_err());
        assert_eq!(tries.begin("dan", address("2001:db8:0:1::1"), late), Ok(()));
    }

    #[test]
    fn a_success_takes_its_try_back() {
        let tries = SignIns::default();
        for second in 0..100 {
            let now = Time(second * 1000);
            assert_eq!(tries.begin("ana", address("192.0.2.1"), now), Ok(()), "{second}");
            tries.succeeded("ana", address("192.0.2.1"));
        }
    }

    #[test]
    fn all_sign_ins_together_are_bounded_and_so_is_the_memory() {
        let tries = SignIns::default();
        let mut passed = 0;
        for n in 0..30_000u32 {
            let from = address(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255));
            passed += u32::from(tries.begin(&format!("u{n}"), from, Time(0)).is_ok());
        }
        assert_eq!(passed, 50);
        for n in 0..30_000i64 {
            let from = address(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255));
            assert_eq!(tries.begin(&format!("u{n}"), from, Time(10_000 + n * 200)), Ok(()));
        }
        assert!(lock(&tries.held).0.len() <= MOST);
        let requests = Requests::default();
        for n in 0..12_000 {
            requests.of_visitor(&n.to_string(), Time(0)).unwrap();
        }
        assert!(lock(&requests.held).len() <= MOST);
    }

    #[test]
    fn requests_are_generous_and_not_without_measure() {
        let requests = Requests::default();
        for _ in 0..2000 {
            assert_eq!(requests.of_visitor("ana", Time(0)), Ok(()));
        }
        assert_eq!(requests.of_visitor("ana", Time(0)), Err(Duration::from_millis(2)));
        assert_eq!(requests.of_visitor("ben", Time(0)), Ok(()));
        assert_eq!(requests.of_visitor("ana", Time(2)), Ok(()));
    }

    #[test]
    fn who_may_only_read_cannot_fill_the_ledger_with_what_is_their_own() {
        let requests = Requests::default();
        let day = (0..86_400).filter(|second| requests.of_own("guest", Time(second * 1_000)).is_ok()).count();
        assert!((60..=60 + 24 * 60).contains(&day), "{day}");
        assert_eq!(requests.of_own("ana", Time(86_400_000)), Ok(()), "others do not wait");
        assert_eq!(requests.of_visitor("guest", Time(86_400_000)), Ok(()), "nor who reads");
    }
}
