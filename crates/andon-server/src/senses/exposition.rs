//! The text formats of metrics: OpenMetrics, and that of Prometheus before it. Pure, strict and bounded: the first
//! mistake is told with its line, and then nothing of the text counts.

use std::collections::BTreeMap;

/// The largest text, in bytes.
pub const MAX_TEXT: usize = 1 << 20;
/// The most samples in a text.
const MAX_SAMPLES: usize = 10_000;
/// The most labels of a sample.
const MAX_LABELS: usize = 32;
/// The longest name or value of a label, in bytes.
const MAX_WORD: usize = 1024;

/// One sample of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The name of the sample: `logins_total`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value; may be not finite.
    pub value: f64,
    /// Whether it only grows.
    pub counter: bool,
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ExpositionError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Reads a whole text.
pub fn read(text: &str) -> Result<Vec<Line>, ExpositionError> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut samples = Vec::new();
    if text.len() > MAX_TEXT {
        return Err(ExpositionError { line: 1, what: format!("a text has at most {} MiB", MAX_TEXT >> 20) });
    }
    let mut over = false;
    for (index, line) in text.lines().enumerate() {
        let wrong = |what: String| ExpositionError { line: index + 1, what };
        if over {
            return Err(wrong("something stands behind `# EOF`".to_owned()));
        }
        if let Some(comment) = line.strip_prefix('#') {
            over = comment.trim() == "EOF";
            if let Some((name, kind)) =
                comment.trim().strip_prefix("TYPE ").and_then(|rest| rest.split_once(' '))
            {
                kinds.insert(name, kind.trim());
            }
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        if samples.len() >= MAX_SAMPLES {
            return Err(wrong(format!("a text has at most {MAX_SAMPLES} samples")));
        }
        let mut sample = sample(line).map_err(wrong)?;
        sample.counter = is_counter(&sample.name, &kinds);
        samples.push(sample);
    }
    Ok(samples)
}

/// A family that says its kind is that; one that does not is known by the end of its name.
fn is_counter(name: &str, kinds: &BTreeMap<&str, &str>) -> bool {
    const PARTS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];
    let family = PARTS.iter().find_map(|part| name.strip_suffix(part));
    match kinds.get(name).or_else(|| kinds.get(family?)) {
        Some(&("counter" | "histogram" | "summary")) => !name.ends_with("_created"),
        Some(&("unknown" | "untyped")) | None => family.is_some(),
        Some(_) => false,
    }
}

fn sample(line: &str) -> Result<Line, String> {
    let name_end = line.find(|c: char| !is_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    if name.is_empty() || name.len() > MAX_WORD || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a name of letters, digits, `_` and `:` is expected".to_owned());
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    if !rest.starts_with([' ', '\t']) {
        return Err(format!("a blank and a value are expected behind {name}"));
    }
    // An exemplar tells about one event; nobody here asks for it.
    let rest = rest.split(" # ").next().unwrap_or(rest);
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(|word| word.parse().ok());
    let value = value.ok_or_else(|| format!("the value of {name} is not a number"))?;
    if words.next().is_some_and(|word| word.parse::<f64>().is_err()) || words.next().is_some() {
        return Err(format!("only a time may stand behind the value of {name}"));
    }
    Ok(Line { name: name.to_owned(), labels, value, counter: false })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

/// Labels up to their closing brace, and what stands behind it.
fn labels(text: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok((labels, behind));
        }
        let (name, value) = rest.split_once('=').ok_or("a label is never closed")?;
        let name = name.trim();
        let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.len() > MAX_WORD || name.contains(odd) {
            return Err("a label has a name of letters, digits and `_`".to_owned());
        }
        let (value, behind) =
            quoted(value.trim_start()).ok_or_else(|| format!("the label {name} has no quoted value"))?;
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} stands there twice"));
        }
        if labels.len() > MAX_LABELS {
            return Err(format!("a sample has at most {MAX_LABELS} labels"));
        }
        rest = behind.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return Err(format!("a comma or a brace is expected behind the label {name}")),
        };
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let inside = text.strip_prefix('"')?;
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
        if value.len() > MAX_WORD {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let text = "# HELP logins Logins.\n# TYPE logins counter\nlogins_total{host=\"web1\",a=\"x\\\"\\n}\",} 17 # {t=\"1\"} 1\n\
                    # TYPE heap gauge\nheap 1.5e9 1700000000\n\n# TYPE t histogram\nt_bucket{le=\"+Inf\"} 3\nodd NaN\n\
                    orders_total 2\n# TYPE x_total gauge\nx_total 4\n# EOF\n";
        let lines = read(text).unwrap();
        let short: Vec<(&str, f64, bool)> = lines
            .iter()
            .filter(|l| l.value.is_finite())
            .map(|l| (l.name.as_str(), l.value, l.counter))
            .collect();
        assert_eq!(
            short,
            [
                ("logins_total", 17.0, true),
                ("heap", 1.5e9, false),
                ("t_bucket", 3.0, true),
                ("orders_total", 2.0, true),
                ("x_total", 4.0, false)
            ]
        );
        assert_eq!(lines[0].labels["a"], "x\"\n}");
        assert!(lines[3].value.is_nan());
    }

    #[test]
    fn the_first_mistake_is_told_with_its_line() {
        for (text, line, what) in [
            ("a 1\nb", 2, "a blank and a value"),
            ("9a 1", 1, "a name of letters"),
            ("a x", 1, "is not a number"),
            ("a 1 2 3", 1, "only a time"),
            ("a{b} 1", 1, "never closed"),
            ("a{b=1} 1", 1, "no quoted value"),
            ("a{b=\"1\" c=\"2\"} 1", 1, "a comma or a brace"),
            ("a{b=\"1\",b=\"2\"} 1", 1, "twice"),
            ("# EOF\na 1", 2, "behind `# EOF`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.line == line && error.what.contains(what), "{text}: {error}");
        }
        assert!(read(&"a 1\n".repeat(MAX_SAMPLES + 1)).unwrap_err().what.contains("at most 10000"));
        assert!(read(&" ".repeat(MAX_TEXT + 1)).is_err());
    }
}
