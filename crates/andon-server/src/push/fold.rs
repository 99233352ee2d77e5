//! Many hosts' results as few lines: equal ones are one group. Pure.

use andon_core::legible::neutral;
use andon_core::name::HostName;

use super::{HostOutcome, Output, Status, host_list};

/// Hosts that said and did the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Which, in their given order.
    pub hosts: Vec<HostName>,
    /// How it ended on each of them.
    pub status: Status,
    /// What each wrote.
    pub output: Output,
    /// What each wrote to standard error, where that went its own way.
    pub errors: Output,
    /// What to do about it, said for the first of them.
    pub next: Option<String>,
}

/// Where rendered text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// A terminal, which foreign output must not be able to act upon.
    Terminal,
    /// A file or another program, which gets the output as it is.
    Raw,
}

/// Output of so many columns or more stands below its hosts, not beside them.
const MAX_BESIDE: usize = 100;
/// Stands before each line of output below a header.
const INDENT: &[u8] = b"    ";

/// Groups hosts with equal results: the largest group first, those where the command did not run to its end last.
pub fn fold(outcomes: &[HostOutcome]) -> Vec<Group> {
    let mut places = std::collections::HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for outcome in outcomes {
        let place = *places.entry((&outcome.status, &outcome.output, &outcome.errors)).or_insert_with(|| {
            groups.push(Group {
                hosts: Vec::new(),
                status: outcome.status.clone(),
                output: outcome.output.clone(),
                errors: outcome.errors.clone(),
                next: outcome.next.clone(),
            });
            groups.len() - 1
        });
        groups[place].hosts.push(outcome.host.clone());
    }
    // The sort is stable: among equals the first host's place decides.
    groups.sort_by_key(|group| (!group.status.has_ended(), std::cmp::Reverse(group.hosts.len())));
    groups
}

/// Writes groups for people: `18 hosts  6.1.0-28-amd64` where a line suffices, else a header and the output below it.
pub fn render(groups: &[Group], destination: Destination) -> Vec<u8> {
    let lines: Vec<Option<Text>> = groups.iter().map(|group| one_line(group, destination)).collect();
    let width = Width {
        count: groups.iter().map(|group| group.hosts.len().to_string().len()).max().unwrap_or(0),
        text: lines.iter().flatten().map(|text| text.columns).max().unwrap_or(0),
    };
    let mut rendered = Vec::new();
    for (index, (group, line)) in groups.iter().zip(lines).enumerate() {
        match line {
            // The largest group is "the rest": its names would be the longest and say the least.
            Some(text) => rendered.extend(row(group, text, width, index == 0)),
            None => rendered.extend(block(group, destination)),
        }
        if let Some(next) = &group.next {
            rendered.extend(INDENT);
            rendered.extend(format!("next  {}\n", neutral(next.as_bytes())).into_bytes());
        }
    }
    rendered
}

/// Text with as many columns as it takes on a terminal, or nearly.
struct Text {
    bytes: Vec<u8>,
    columns: usize,
}

/// Columns that rows share.
#[derive(Clone, Copy)]
struct Width {
    count: usize,
    text: usize,
}

/// A group's result as one line, if it fits.
fn one_line(group: &Group, destination: Destination) -> Option<Text> {
    let label = group.status.label();
    let mut bytes = shown(group, destination);
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    let bytes = match (label.is_empty(), bytes.is_empty()) {
        (true, true) => b"(no output)".to_vec(),
        (true, false) => bytes,
        (false, true) => label.into_bytes(),
        (false, false) if !group.status.has_ended() => return None,
        (false, false) => [label.as_bytes(), b": ", &bytes].concat(),
    };
    let columns = String::from_utf8_lossy(&bytes).chars().count();
    (!bytes.contains(&b'\n') && columns < MAX_BESIDE).then_some(Text { bytes, columns })
}

/// ` 2 hosts  6.1.0-21-amd64    web3 web11`
fn row(group: &Group, text: Text, width: Width, largest: bool) -> Vec<u8> {
    let mut row = format!("{:>1$} {2:<5}  ", group.hosts.len(), width.count, hosts_word(group)).into_bytes();
    row.extend(text.bytes);
    let names = host_list(&group.hosts);
    let note = match group.status.has_ended() {
        true if largest && group.hosts.len() > 1 => String::new(),
        true => names,
        false => format!("{names}: {}", neutral(group.status.to_string().as_bytes())),
    };
    if !note.is_empty() {
        row.resize(row.len() + width.text - text.columns + INDENT.len(), b' ');
        row.extend(note.into_bytes());
    }
    row.push(b'\n');
    row
}

/// `on 18 hosts (web[1-18]):` and the indented output.
fn block(group: &Group, destination: Destination) -> Vec<u8> {
    let label = group.status.label();
    let status = match (label.is_empty(), group.status.has_ended()) {
        (true, _) => String::new(),
        (false, true) => format!(" {label}"),
        (false, false) => format!(" {label}: {}", neutral(group.status.to_string().as_bytes())),
    };
    let (count, word, names) = (group.hosts.len(), hosts_word(group), host_list(&group.hosts));
    let mut block = format!("on {count} {word} ({names}):{status}\n").into_bytes();
    for line in shown(group, destination).split_inclusive(|b| *b == b'\n') {
        block.extend(INDENT);
        block.extend(line);
    }
    if !block.ends_with(b"\n") {
        block.push(b'\n');
    }
    block
}

fn hosts_word(group: &Group) -> &'static str {
    if group.hosts.len() == 1 { "host" } else { "hosts" }
}

/// All that the hosts of a group wrote, fit for the destination.
fn shown(group: &Group, destination: Destination) -> Vec<u8> {
    let mut bytes = group.output.joined();
    if !group.errors.is_empty() {
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(group.errors.joined());
    }
    match destination {
        Destination::Terminal => neutral(&bytes).into_bytes(),
        Destination::Raw => bytes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ssh::Failure;

    fn outcome(host: &str, status: Status, output: &str) -> HostOutcome {
        HostOutcome {
            host: HostName::new(host).unwrap(),
            status,
            next: None,
            output: Output { head: output.into(), ..Output::default() },
            errors: Output::default(),
            took: Duration::ZERO,
        }
    }

    fn ok(host: &str, output: &str) -> HostOutcome {
        outcome(host, Status::Exited { code: 0 }, output)
    }

    fn rendered(outcomes: &[HostOutcome]) -> String {
        String::from_utf8(render(&fold(outcomes), Destination::Terminal)).unwrap()
    }

    #[test]
    fn equal_lines_become_one_and_the_unreachable_come_last() {
        let mut outcomes: Vec<_> = (1..=18).map(|i| ok(&format!("web{i}"), "6.1.0-28-amd64\n")).collect();
        let failure = Failure::ConnectionRefused;
        let mut gone = outcome("web20", Status::Unreachable { failure }, "");
        gone.next = Some("see that sshd runs".to_owned());
        outcomes.insert(0, gone);
        outcomes.push(ok("web30", "6.1.0-21-amd64\n"));
        outcomes.push(ok("web31", "6.1.0-21-amd64\n"));
        outcomes.push(outcome("web32", Status::Exited { code: 127 }, "sh: 1: uname: not found\n"));
        assert_eq!(
            rendered(&outcomes),
            "18 hosts  6.1.0-28-amd64\n \
             2 hosts  6.1.0-21-amd64                       web30 web31\n \
             1 host   exit 127: sh: 1: uname: not found    web32\n \
             1 host   unreachable                          web20: connection refused\n    \
             next  see that sshd runs\n"
        );
    }

    #[test]
    fn long_output_stands_below_its_hosts() {
        let mut outcomes: Vec<_> = (1..=5).map(|i| ok(&format!("web{i}"), "a\nb\n")).collect();
        outcomes.push(outcome("db1", Status::Exited { code: 3 }, "a\nb"));
        let after = Duration::from_secs(5);
        outcomes.push(outcome("db2", Status::TimedOut { after, started: true }, "so far"));
        assert_eq!(
            rendered(&outcomes),
            "on 5 hosts (web[1-5]):\n    a\n    b\n\
             on 1 host (db1): exit 3\n    a\n    b\n\
             on 1 host (db2): timed out: ended after 5 s\n    so far\n"
        );
    }

    #[test]
    fn silence_is_said_and_one_host_is_named() {
        assert_eq!(rendered(&[ok("web1", ""), ok("web2", "")]), "2 hosts  (no output)\n");
        assert_eq!(rendered(&[ok("web1", "x")]), "1 host   x    web1\n");
        assert_eq!(rendered(&[]), "");
    }

    #[test]
    fn the_same_output_with_another_end_is_another_group() {
        let groups = fold(&[
            ok("a", "x"),
            outcome("b", Status::Exited { code: 1 }, "x"),
            ok("c", "x\n"),
            ok("d", "x"),
        ]);
        assert_eq!(groups.iter().map(|group| group.hosts.len()).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn only_a_terminal_gets_neutral_output() {
        let groups = fold(&[ok("a", "\u{1b}[31mred")]);
        assert_eq!(render(&groups, Destination::Terminal), b"1 host   \\x1b[31mred    a\n");
        assert_eq!(render(&groups, Destination::Raw), b"1 host   \x1b[31mred    a\n");
    }
}
