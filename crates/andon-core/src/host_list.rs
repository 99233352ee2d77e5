//! Names of many hosts in few characters: `web[1-18]`. Pure.

use std::collections::BTreeMap;

use crate::name::HostName;

/// Up to so many names are written out.
const MAX_SPELLED: usize = 4;

/// Writes `hosts` for people: a few by name, more of them with their numbers as ranges (`web[1-3,7] db1`), in the order
/// in which their families first occur.
pub fn host_list(hosts: &[HostName]) -> String {
    if hosts.len() <= MAX_SPELLED {
        return hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" ");
    }
    let mut families: Vec<Family> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for host in hosts {
        let (before, number, behind) = split(host.as_str());
        let place = *places.entry((before, behind)).or_insert(families.len());
        match families.get_mut(place) {
            Some(family) => family.numbers.push(number),
            None => families.push(Family { before, behind, numbers: vec![number] }),
        }
    }
    families.into_iter().map(Family::written).collect::<Vec<_>>().join(" ")
}

/// Names that differ in one number only.
struct Family<'a> {
    before: &'a str,
    behind: &'a str,
    /// As written: `07` and `7` are two different hosts.
    numbers: Vec<&'a str>,
}

impl Family<'_> {
    fn written(mut self) -> String {
        let (before, behind) = (self.before, self.behind);
        if self.numbers.len() == 1 {
            return format!("{before}{}{behind}", self.numbers[0]);
        }
        self.numbers.sort_by_key(|number| (number.len(), *number));
        let mut ranges: Vec<(&str, &str)> = Vec::new();
        for number in self.numbers {
            match ranges.last_mut() {
                Some((_, last)) if follows(last, number) => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        let ranges = ranges.into_iter().map(|(first, last)| match first == last {
            true => first.to_owned(),
            false => format!("{first}-{last}"),
        });
        format!("{before}[{}]{behind}", ranges.collect::<Vec<_>>().join(","))
    }
}

/// Whether a range may go on from `last` to `number` without changing how numbers are padded.
fn follows(last: &str, number: &str) -> bool {
    let value = |text: &str| text.parse::<u64>().ok();
    let next = value(last).and_then(|last| last.checked_add(1));
    let padded = |text: &str| text.len() > 1 && text.starts_with('0');
    let alike = last.len() == number.len() || !padded(last) && !padded(number);
    next.is_some() && next == value(number) && alike
}

/// Splits a name at the last number of its first label: `web`, `7`, `.example.com`.
fn split(name: &str) -> (&str, &str, &str) {
    let label = name.find('.').unwrap_or(name.len());
    let end = name[..label].rfind(|c: char| c.is_ascii_digit()).map_or(label, |at| at + 1);
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    (&name[..start], &name[start..end], &name[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> String {
        let hosts: Vec<HostName> = names.iter().map(|name| HostName::new(*name).unwrap()).collect();
        host_list(&hosts)
    }

    #[test]
    fn few_hosts_are_spelled_out_and_many_become_ranges() {
        assert_eq!(listed(&["web3", "web11"]), "web3 web11");
        assert_eq!(listed(&["web1", "web2", "web3", "web4", "web5"]), "web[1-5]");
        assert_eq!(listed(&["web10", "web9", "web11", "web2", "db1"]), "web[2,9-11] db1");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "a b c d e");
        assert_eq!(listed(&["1", "2", "3", "4", "web"]), "[1-4] web");
    }

    #[test]
    fn padding_and_domains_are_kept() {
        assert_eq!(listed(&["w08", "w09", "w10", "w11", "w12"]), "w[08-12]");
        assert_eq!(listed(&["w8", "w09", "w10", "w1", "w2"]), "w[1-2,8,09-10]");
        assert_eq!(listed(&["w98", "w99", "w100", "w101", "w1"]), "w[1,98-101]");
        let domain = ["w1.eu2.x", "w2.eu2.x", "w3.eu2.x", "w1.us1.x", "w2.us1.x"];
        assert_eq!(listed(&domain), "w[1-3].eu2.x w[1-2].us1.x");
    }

    #[test]
    fn numbers_beyond_measure_are_no_problem() {
        let huge = "9".repeat(40);
        let (a, b) = (format!("w{huge}"), format!("w1{huge}"));
        let listed = listed(&[&a, &b, "w1", "w2", "w18446744073709551615"]);
        assert_eq!(listed, format!("w[1-2,18446744073709551615,{huge},1{huge}]"));
    }
}
