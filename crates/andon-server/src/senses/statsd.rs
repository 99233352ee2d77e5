//! The lines of StatsD: `logins:1|c|@0.1|#host:web1`. Pure and strict.

use andon_core::name::{HostName, MetricName};

/// The longest line, in bytes.
pub(super) const MAX_LINE: usize = 1024;

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Of which number.
    pub(super) name: MetricName,
    /// On which host; `None` where the line does not say it.
    pub(super) host: Option<HostName>,
    /// What.
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// So many more.
    More(f64),
    /// A level.
    Level(f64),
    /// A level that changed by so much.
    Change(f64),
    /// So many events took so long each, in whatever unit.
    Took {
        /// How many.
        times: f64,
        /// How long each.
        each: f64,
    },
}

/// Reads one line; what is wrong with it is a sentence.
pub(super) fn read(line: &[u8]) -> Result<Event, String> {
    if line.len() > MAX_LINE {
        return Err(format!("a line has at most {MAX_LINE} bytes"));
    }
    let line = std::str::from_utf8(line).map_err(|_| "a line is UTF-8".to_owned())?;
    let mut parts = line.trim_end_matches(['\r', ' ']).split('|');
    let (name, value) =
        parts.next().and_then(|part| part.split_once(':')).ok_or("a line begins with `name:value|`")?;
    let name = MetricName::new(name).map_err(|error| error.to_string())?;
    let kind = parts.next().ok_or("the kind is missing: `|c`, `|g` or `|ms`")?;
    let number: f64 = value.parse().map_err(|_| format!("the value of {name} is not a number"))?;
    if !number.is_finite() {
        return Err(format!("the value of {name} is not a number"));
    }
    let (mut rate, mut host) = (1.0, None);
    for part in parts {
        if let Some(tags) = part.strip_prefix('#') {
            let tags = tags.split(',').filter_map(|tag| tag.split_once([':', '=']));
            if let Some((_, value)) = tags.into_iter().find(|(tag, _)| *tag == "host") {
                host = Some(HostName::new(value).map_err(|error| format!("the host of {name}: {error}"))?);
            }
        } else if let Some(share) = part.strip_prefix('@') {
            rate = share.parse().map_err(|_| format!("the rate of {name} is not a number"))?;
            if !(rate > 0.0 && rate <= 1.0) {
                return Err(format!("the rate of {name} is more than 0 and at most 1"));
            }
        }
        // What other dialects add besides is not needed here.
    }
    let signed = value.starts_with(['+', '-']);
    let what = match kind {
        "c" if number >= 0.0 => What::More(number / rate),
        "c" => return Err(format!("{name} is counted backwards")),
        "g" if signed => What::Change(number),
        "g" => What::Level(number),
        "ms" | "h" | "d" if number >= 0.0 => What::Took { times: 1.0 / rate, each: number },
        other => return Err(format!("the kind {other:?} of {name} is not `c`, `g`, `ms`, `h` or `d`")),
    };
    Ok(Event { name, host, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_they_say() {
        let of = |line: &str| read(line.as_bytes()).map(|event| (event.host.map(String::from), event.what));
        assert_eq!(of("logins:1|c|@0.1|#env:x,host:web1"), Ok((Some("web1".into()), What::More(10.0))));
        assert_eq!(of("heap:17.5|g"), Ok((None, What::Level(17.5))));
        assert_eq!(of("heap:-2|g\r"), Ok((None, What::Change(-2.0))));
        assert_eq!(of("t:320|ms|@0.5"), Ok((None, What::Took { times: 2.0, each: 320.0 })));
        for (line, what) in [
            ("", "begins with"),
            ("a", "begins with"),
            ("a b:1|c", "a name consists"),
            ("a:1", "the kind is missing"),
            ("a:x|c", "not a number"),
            ("a:nan|g", "not a number"),
            ("a:-1|c", "backwards"),
            ("a:1|c|@0", "more than 0"),
            ("a:1|c|@2", "at most 1"),
            ("a:1|s", "the kind"),
            ("a:1|c|#host:a b", "the host of a"),
        ] {
            let told = of(line).unwrap_err();
            assert!(told.contains(what), "{line}: {told}");
        }
        assert!(read(&[0xff, b':', b'1']).is_err());
        assert!(read(&[b'a'; MAX_LINE + 1]).is_err());
    }
}
