//! How the application behaves beside being correct: what it costs, what it gets wrong, what it sells.
//!
//! Everything follows from the number of a request, so the same request fares alike on every instance of a release. The
//! weather is what all instances share: a file that says how the world outside treats them at this moment.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::content::scramble;

/// How often the weather is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Of so many requests one places an order.
const ORDERS: u64 = 10;
const MILLION: u64 = 1_000_000;

/// How a release behaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Behaviour {
    /// The mean time that a page costs; single pages cost between a half and four times as much.
    pub work: Duration,
    /// What a page costs instead, in hundredths of that; 0 and 100 both mean as usual.
    pub work_percent: u32,
    /// Of a million pages, those that are answered with an error.
    pub failing: u32,
    /// Of a hundred orders, those that get lost although their pages look well.
    pub orders_lost: u32,
    /// Where orders are reported, as StatsD over UDP.
    pub statsd: Option<SocketAddr>,
    /// What the reports call the host.
    pub host: String,
    /// The file with the weather: two numbers, like those of `failing` and `work_percent`, that hold for all.
    pub weather: Option<PathBuf>,
}

/// A behaviour at work.
#[derive(Debug)]
pub(super) struct Conduct {
    behaviour: Behaviour,
    weather: Mutex<(Weather, Option<Instant>)>,
    reports: Option<UdpSocket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weather {
    failing: u32,
    work_percent: u32,
}

/// How a page with a number fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fare {
    pub(super) fails: bool,
    pub(super) cost: Duration,
}

impl Conduct {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        // Without a way to report, nothing is reported: the business is not the application's only duty.
        let reports = behaviour.statsd.and_then(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok());
        Self { behaviour, weather: Mutex::default(), reports }
    }

    /// How the page with this number fares now. An order that it placed is reported.
    pub(super) fn page(&self, number: u64) -> Fare {
        let weather = self.weather();
        let fails = chance(number, 1) < u64::from(self.behaviour.failing)
            || chance(number, 2) < u64::from(weather.failing);
        if !fails && scramble(number ^ salt(3)).is_multiple_of(ORDERS) {
            self.report_order(number);
        }
        Fare { fails, cost: self.cost(number, weather) }
    }

    fn cost(&self, number: u64, weather: Weather) -> Duration {
        let percent = |given: u32| if given == 0 { 100 } else { given };
        // A quarter each of a half, three quarters, one and a quarter and one and a half; one of 50 takes four times.
        let dice = scramble(number ^ salt(4));
        let share = if dice.is_multiple_of(50) { 400 } else { [50, 75, 125, 150][(dice >> 8) as usize % 4] };
        let own = self.behaviour.work * share / 100;
        own * percent(self.behaviour.work_percent) / 100 * percent(weather.work_percent) / 100
    }

    fn report_order(&self, number: u64) {
        let lost = chance(number, 5) * 100 / MILLION < u64::from(self.behaviour.orders_lost);
        if let (Some(socket), Some(to), false) = (&self.reports, self.behaviour.statsd, lost) {
            let line = format!("orders:1|c|#host:{}", self.behaviour.host);
            // A lost report is a lost report; the customer has the page.
            let _ = socket.send_to(line.as_bytes(), to);
        }
    }

    fn weather(&self) -> Weather {
        let Some(path) = &self.behaviour.weather else { return Weather::default() };
        let mut known = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        if known.1.is_none_or(|looked| looked.elapsed() >= LOOK) {
            *known = (look(path), Some(Instant::now()));
        }
        known.0
    }
}

fn look(path: &Path) -> Weather {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap_or(0));
    let (failing, work_percent) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Weather { failing, work_percent }
}

/// 0 to a million, evenly, and independent for each `of`.
fn chance(number: u64, of: u64) -> u64 {
    scramble(number ^ salt(of)) % MILLION
}

fn salt(of: u64) -> u64 {
    scramble(of.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_the_same_page_fares_alike() {
        let ten = Conduct::new(Behaviour { failing: 100_000, ..Behaviour::default() });
        let fails = (0..100_000).filter(|number| ten.page(*number).fails).count();
        assert!((9_500..10_500).contains(&fails), "{fails}");
        assert_eq!(ten.page(7), ten.page(7));
        let worse = Conduct::new(Behaviour { failing: 200_000, ..Behaviour::default() });
        assert!((0..1000).all(|number| !ten.page(number).fails || worse.page(number).fails));
    }

    #[test]
    fn work_scales_and_has_a_tail() {
        let with = |work_percent| {
            let work = Duration::from_millis(10);
            Conduct::new(Behaviour { work, work_percent, ..Behaviour::default() })
        };
        let total = |conduct: &Conduct| (0..10_000).map(|number| conduct.page(number).cost).sum::<Duration>();
        let (usual, slower) = (total(&with(0)), total(&with(150)));
        assert_eq!(usual * 3, slower * 2);
        assert!(usual > Duration::from_secs(90) && usual < Duration::from_secs(120), "{usual:?}");
        let longest = (0..10_000).map(|number| with(0).page(number).cost).max();
        assert_eq!(longest, Some(Duration::from_millis(40)));
    }

    #[test]
    fn orders_are_reported_and_lost_ones_are_not() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        server.set_nonblocking(true).unwrap();
        let statsd = Some(server.local_addr().unwrap());
        let count = |orders_lost| {
            let behaviour = Behaviour { orders_lost, statsd, host: "web1".into(), ..Behaviour::default() };
            let conduct = Conduct::new(behaviour);
            let mut heard = 0;
            let mut line = [0; 100];
            for number in 0..500 {
                conduct.page(number);
                while let Ok(bytes) = server.recv(&mut line) {
                    assert_eq!(&line[..bytes], b"orders:1|c|#host:web1");
                    heard += 1;
                }
            }
            heard
        };
        assert!((30..75).contains(&count(0)));
        assert!((1..18).contains(&count(90)));
    }

    #[test]
    fn the_weather_holds_for_all() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("weather");
        std::fs::write(&file, "1000000 300\n").unwrap();
        let work = Duration::from_millis(10);
        let conduct = Conduct::new(Behaviour { weather: Some(file), work, ..Behaviour::default() });
        assert!(conduct.page(1).fails);
        assert!(conduct.page(1).cost >= work * 3 / 2);
        let clear = Conduct::new(Behaviour { weather: Some("/nowhere".into()), ..Behaviour::default() });
        assert!(!clear.page(1).fails);
    }
}
