//! The two sides of a comparison, as questions to a source and as names of what it answers.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::name::{HostName, MemberName};

/// Stands in a query for the matchers of those that are compared.
const PLACEHOLDER: &str = "{members}";
/// The longest text of matchers, in bytes.
const MAX_MATCHERS: usize = 4096;

/// Who is compared with whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arms {
    /// Hosts by their names, each of which is a member.
    Hosts {
        /// On the new release.
        canary: BTreeSet<HostName>,
        /// On the old one.
        control: BTreeSet<HostName>,
    },
    /// What other deployers tell apart by labels: one member for each side, called `canary` and `control`.
    Labels {
        /// Of the new release.
        canary: Matchers,
        /// Of the old one.
        control: Matchers,
    },
}

/// Matchers of PromQL without braces, `version="v2",job=~"shop.*"`: nothing else can hide in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matchers(String);

/// Why a text is not matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected matchers like `version=\"v2\"`, separated by commas: {0}")]
pub struct MatchersError(String);

impl Matchers {
    /// Checks `text`. At least one matcher, at most 4 KiB.
    pub fn new(text: &str) -> Result<Self, MatchersError> {
        if text.len() > MAX_MATCHERS {
            return Err(MatchersError(format!("at most {MAX_MATCHERS} bytes")));
        }
        let mut rest = text.trim();
        loop {
            rest = matcher(rest)?.trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more.trim_start(),
                None if rest.is_empty() => return Ok(Self(text.trim().to_owned())),
                None => return Err(MatchersError(format!("{:?} is left over", shortened(rest)))),
            }
        }
    }

    /// The matchers as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is left behind one matcher.
fn matcher(text: &str) -> Result<&str, MatchersError> {
    let wrong = |what: &str| MatchersError(format!("{what} at {:?}", shortened(text)));
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if name == 0 || text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong("a label is missing"));
    }
    let after = text[name..].trim_start();
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| after.starts_with(operator));
    let operator = operator.ok_or_else(|| wrong("=, !=, =~ or !~ is missing"))?;
    let value = after[operator.len()..].trim_start().strip_prefix('"');
    let value = value.ok_or_else(|| wrong("a quoted value is missing"))?;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match c {
            '\n' | '\r' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok(&value[at + 1..]),
            _ => {}
        }
    }
    Err(wrong("a value is never closed"))
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Whose the values of an answer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whose {
    /// All of them are one member's.
    All(MemberName),
    /// A label says whose each is.
    ByLabel {
        /// Which.
        label: String,
        /// The hosts by the value of the label.
        hosts: BTreeMap<String, MemberName>,
    },
}

impl Whose {
    /// The member that a value belongs to; `None` for somebody whom nobody asked about.
    pub(super) fn member(&self, labels: &BTreeMap<String, String>) -> Option<&MemberName> {
        match self {
            Whose::All(member) => Some(member),
            Whose::ByLabel { label, hosts } => {
                let value = labels.get(label)?;
                hosts.get(value).or_else(|| hosts.get(without_port(value)?))
            }
        }
    }
}

fn without_port(value: &str) -> Option<&str> {
    let (host, port) = value.rsplit_once(':')?;
    (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

impl Arms {
    /// Every member.
    pub fn members(&self) -> BTreeSet<MemberName> {
        match self {
            Arms::Hosts { canary, control } => canary.iter().chain(control).map(MemberName::from).collect(),
            Arms::Labels { .. } => sides(self).into_iter().map(|(member, _)| member).collect(),
        }
    }

    /// What to ask so that `query` covers all members, and whose the values of each answer are. `label` and `value`
    /// tell hosts apart.
    pub(super) fn questions(&self, query: &str, label: &str, value: &str) -> Vec<(String, Whose)> {
        let Arms::Hosts { canary, control } = self else {
            let sides = sides(self).into_iter();
            return sides
                .map(|(member, matchers)| (query.replace(PLACEHOLDER, matchers), Whose::All(member)))
                .collect();
        };
        let hosts: BTreeMap<String, MemberName> = canary
            .iter()
            .chain(control)
            .map(|host| (value.replace("{host}", host.as_str()), MemberName::from(host)))
            .collect();
        let values: Vec<String> = hosts.keys().map(|value| literal(value)).collect();
        let matchers = format!(r#"{label}=~"(?:{})(?::[0-9]+)?""#, values.join("|"));
        let whose = Whose::ByLabel { label: label.to_owned(), hosts };
        vec![(query.replace(PLACEHOLDER, &matchers), whose)]
    }
}

fn sides(arms: &Arms) -> Vec<(MemberName, &str)> {
    let Arms::Labels { canary, control } = arms else { return Vec::new() };
    let named = [("canary", canary), ("control", control)].into_iter();
    named.filter_map(|(name, matchers)| Some((MemberName::new(name).ok()?, matchers.as_str()))).collect()
}

/// A text that means itself in a regular expression between the double quotes of PromQL.
fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            // Once for the expression, once for the quotes.
            '\\' => quoted.push_str(r"\\\\"),
            '"' => quoted.push_str(r#"\""#),
            '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                quoted.push_str(r"\\");
                quoted.push(c);
            }
            _ => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(canary: &[&str], control: &[&str]) -> Arms {
        let set = |names: &[&str]| names.iter().map(|name| HostName::new(*name).unwrap()).collect();
        Arms::Hosts { canary: set(canary), control: set(control) }
    }

    #[test]
    fn a_query_selects_exactly_the_hosts_and_ports_do_not_count() {
        let arms = hosts(&["web1"], &["web1.nl", "web2"]);
        let questions = arms.questions("sum(x{{members}}) by (pod)", "pod", "{host}");
        let [(query, whose)] = questions.as_slice() else { panic!("{questions:?}") };
        assert_eq!(query, r#"sum(x{pod=~"(?:web1|web1\\.nl|web2)(?::[0-9]+)?"}) by (pod)"#);
        let of = |value: &str| whose.member(&[("pod".into(), value.into())].into()).map(MemberName::as_str);
        assert_eq!(of("web1:9100"), Some("web1"));
        assert_eq!(
            (of("web1.nl"), of("web1xnl"), of("web10"), of("web1:")),
            (Some("web1.nl"), None, None, None)
        );
        assert_eq!(whose.member(&BTreeMap::new()), None);
    }

    #[test]
    fn nothing_hides_in_a_value_or_in_matchers() {
        let arms = hosts(&["web1"], &[]);
        let odd = arms.questions("x{{members}}", "pod", "a\"} or vector(1) or x{b=\"\\{host}");
        assert_eq!(odd[0].0, r#"x{pod=~"(?:a\"\\} or vector\\(1\\) or x\\{b=\"\\\\web1)(?::[0-9]+)?"}"#);
        for right in ["a=\"b\"", " a =~ \"b,\\\"}\" , c!=\"\" ", "_x!~\"é\""] {
            assert_eq!(Matchers::new(right).unwrap().as_str(), right.trim());
        }
        for wrong in [
            "",
            "a",
            "a=b",
            "a=\"b",
            "a=\"b\"}",
            "a=\"b\",",
            "1a=\"b\"",
            "a==\"b\"",
            "a=\"b\nc\"",
            "a=\"\\\"",
        ] {
            assert!(Matchers::new(wrong).is_err(), "{wrong}");
        }
        let matchers = |text| Matchers::new(text).unwrap();
        let arms = Arms::Labels { canary: matchers("v=\"2\""), control: matchers("v=\"1\"") };
        let asked: Vec<String> =
            arms.questions("x{{members}}", "pod", "{host}").into_iter().map(|(query, _)| query).collect();
        assert_eq!(asked, ["x{v=\"2\"}", "x{v=\"1\"}"]);
    }
}
