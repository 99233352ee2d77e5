//! Which part of history somebody looks at: words and a span, as they stand in the address of a page. The same address
//! shows the same view again.

use andon_core::chronicle::{Chronicle, Span};
use andon_core::time::Time;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// The longest text that is looked for, in characters.
pub const LONGEST: usize = 200;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// What is wrong with an address: a sentence, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongView {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub next: &'static str,
}

/// The span of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Nothing was said.
    Usual,
    /// So many days until now.
    Days(u16),
    /// From the first deployment until now.
    All,
    /// Between two moments; without the first, from the first deployment on, without the second, until now.
    Between(Option<Time>, Option<Time>),
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What is looked for.
    pub query: String,
    /// When.
    pub window: Window,
}

/// The spans that a button is for, in days and in words.
pub const SPANS: [(u16, &str); 4] = [(1, "1 day"), (7, "7 days"), (30, "30 days"), (365, "1 year")];

impl View {
    /// Reads a view from its parts, as they stand in an address. Moments are RFC 3339, or what a form sends: a day, or a
    /// day and a clock of `zone`. A day alone as the end is included.
    ///
    /// # Errors
    /// [`WrongView`], where a part cannot be read, or the span ends before it begins.
    pub fn read(
        query: Option<&str>,
        span: Option<&str>,
        from: Option<&str>,
        to: Option<&str>,
        zone: &TimeZone,
    ) -> Result<Self, WrongView> {
        let query: String = query.unwrap_or_default().trim().to_owned();
        if query.chars().count() > LONGEST {
            let what = format!("what is looked for is longer than {LONGEST} characters");
            return Err(WrongView { what, next: "look for a person, a service, a host or a revision" });
        }
        let given =
            |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let from = given(from).map(|text| moment(&text, zone, false)).transpose()?;
        let to = given(to).map(|text| moment(&text, zone, true)).transpose()?;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let what = format!("the span ends at {}, before it begins at {}", to.iso(), from.iso());
            return Err(WrongView { what, next: "choose an end that is after the begin" });
        }
        let window = match given(span).as_deref() {
            _ if from.is_some() || to.is_some() => Window::Between(from, to),
            None => Window::Usual,
            Some("all") => Window::All,
            Some(text) => days(text)?,
        };
        Ok(Self { query, window })
    }

    /// The address of this view below `path`.
    pub fn address(&self, path: &str) -> String {
        let mut address = self.begun(path);
        address.pop();
        address
    }

    /// The address without its span, so that parts can be added.
    pub fn filter(&self, path: &str) -> String {
        Self { query: self.query.clone(), window: Window::Usual }.begun(path)
    }

    /// The address, ending with the sign behind which a further part may stand.
    fn begun(&self, path: &str) -> String {
        let mut parts = Vec::new();
        if !self.query.is_empty() {
            parts.push(format!("q={}", encoded(&self.query)));
        }
        match self.window {
            Window::Usual => {}
            Window::Days(days) => parts.push(format!("span={days}d")),
            Window::All => parts.push("span=all".to_owned()),
            Window::Between(from, to) => {
                parts.extend(from.map(|from| format!("from={}", from.iso())));
                parts.extend(to.map(|to| format!("to={}", to.iso())));
            }
        }
        if parts.is_empty() { format!("{path}?") } else { format!("{path}?{}&", parts.join("&")) }
    }

    /// The same with another span.
    pub fn over(&self, window: Window) -> Self {
        Self { query: self.query.clone(), window }
    }

    /// Whether what happens next belongs to it.
    pub fn is_live(&self) -> bool {
        !matches!(self.window, Window::Between(_, Some(_)))
    }

    /// The span in moments. All of time reaches from a little before the first deployment to a little after now, at least
    /// an hour. Where nothing was said: the last `usual` days, or all where that is less.
    pub fn span(&self, chronicle: &Chronicle, now: Time, usual: u16) -> Span {
        let first = chronicle.rows().next().map_or(now, |row| row.accepted().min(now));
        let newest = chronicle.rows().next_back().map_or(now, |row| row.accepted());
        let soon = Time(now.0.saturating_add(1_000));
        let whole = now.0.saturating_sub(first.0).max(HOUR);
        let all = Span {
            from: Time(now.0.saturating_sub(whole).saturating_sub(whole / 40)),
            until: Time(soon.0.saturating_add(whole / 80)),
        };
        let back = |days: u16| Time(soon.0.saturating_sub(i64::from(days) * DAY));
        match self.window {
            Window::Usual if newest < back(usual) || first > back(usual) => all,
            Window::Usual => Span { from: back(usual), until: soon },
            Window::Days(days) => Span { from: back(days), until: soon },
            Window::All => all,
            Window::Between(from, until) => {
                let until = until.unwrap_or(soon);
                let from = from.unwrap_or(all.from.min(Time(until.0.saturating_sub(HOUR))));
                Span { from, until: until.max(Time(from.0.saturating_add(1_000))) }
            }
        }
    }
}

/// `7d`: one to 9999 days.
fn days(text: &str) -> Result<Window, WrongView> {
    let number = text.strip_suffix('d').and_then(|number| number.parse::<u16>().ok());
    number.filter(|days| (1..=9_999).contains(days)).map(Window::Days).ok_or_else(|| WrongView {
        what: format!("the span {} is not known", shown(text)),
        next: "write all, or a number of days, for example 7d",
    })
}

/// A moment, in one of its forms.
fn moment(text: &str, zone: &TimeZone, end: bool) -> Result<Time, WrongView> {
    let wrong = || WrongView {
        what: format!("{} is no moment", shown(text)),
        next: "write it as 2026-11-18T14:03:00Z, 2026-11-18T14:03 or 2026-11-18",
    };
    let time = |stamp: jiff::Timestamp| Time(stamp.as_millisecond());
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Ok(time(stamp));
    }
    // What has the form of both is a day.
    if text.len() <= 10
        && let Ok(date) = text.parse::<Date>()
    {
        let date = if end { date.saturating_add(1.days()) } else { date };
        return date.to_zoned(zone.clone()).map(|zoned| time(zoned.timestamp())).map_err(|_| wrong());
    }
    let civil = text.parse::<DateTime>().map_err(|_| wrong())?;
    zone.to_timestamp(civil).map(time).map_err(|_| wrong())
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

/// A text as it stands in an address.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b':' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(span: &str, from: &str, to: &str) -> Result<View, WrongView> {
        View::read(
            Some(" @ana www "),
            Some(span),
            Some(from),
            Some(to),
            &TimeZone::get("Europe/Berlin").unwrap(),
        )
    }

    #[test]
    fn an_address_shows_the_same_view_again() {
        for (span, from, to) in
            [("", "", ""), ("7d", "", ""), ("all", "", ""), ("", "2026-11-18", "2026-11-18T14:03")]
        {
            let view = read(span, from, to).unwrap();
            let address = view.address("/timeline");
            let part = |name: &str| {
                let found =
                    address.split(['?', '&']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
                found.map(str::to_owned)
            };
            let (span, from, to) = (part("span"), part("from"), part("to"));
            let again =
                View::read(Some("@ana www"), span.as_deref(), from.as_deref(), to.as_deref(), &TimeZone::UTC);
            assert_eq!(again.unwrap(), view, "{address}");
            assert!(address.starts_with("/timeline?q=@ana%20www"), "{address}");
        }
    }

    #[test]
    fn days_are_those_of_the_reader_and_the_last_is_included() {
        let view = read("", "2026-11-18", "2026-11-18").unwrap();
        let Window::Between(Some(from), Some(to)) = view.window else { panic!("{view:?}") };
        assert_eq!(
            (from.iso().as_str(), to.iso().as_str()),
            ("2026-11-17T23:00:00.000Z", "2026-11-18T23:00:00.000Z")
        );
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (span, from, to) in [
            ("7", "", ""),
            ("0d", "", ""),
            ("99999d", "", ""),
            ("-1d", "", ""),
            ("", "yesterday", ""),
            ("", "", "2026-02-31"),
            ("", "99999-01-01", ""),
            ("", "1e9", ""),
            ("", "2026-11-18", "2026-11-17"),
            ("", "2026-11-18T10:00:00Z", "2026-11-18T10:00:00Z"),
        ] {
            let wrong = read(span, from, to).unwrap_err();
            assert!(!wrong.what.is_empty() && !wrong.next.is_empty());
        }
        let long = "x".repeat(201);
        assert!(View::read(Some(&long), None, None, None, &TimeZone::UTC).is_err());
        assert_eq!(encoded("<b>&\"é"), "%3Cb%3E%26%22%C3%A9");
    }

    #[test]
    fn every_span_is_a_span() {
        let empty = Chronicle::new();
        let (first, last) = (Time(i64::MIN), Time(i64::MAX));
        for window in [
            Window::Usual,
            Window::All,
            Window::Days(9_999),
            Window::Between(None, Some(first)),
            Window::Between(Some(last), None),
            Window::Between(Some(first), Some(last)),
        ] {
            for now in [Time(0), Time(1_795_003_200_000)] {
                let view = View { query: String::new(), window };
                let span = view.span(&empty, now, 30);
                assert!(span.from <= span.until, "{window:?} {span:?}");
            }
        }
    }
}
