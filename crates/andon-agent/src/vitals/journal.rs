//! What is new in systemd's journal of some units: what they wrote, how their main processes ended, and that the kernel
//! killed some for want of memory. One `journalctl` for each look, whose output is bounded.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use andon_core::vitals::{Exit, Life, LogScan};
use serde::Deserialize;
use serde_json::Value;

use crate::run::child;

/// The most entries that are read in one look. What is beyond is passed over.
pub(super) const MOST_ENTRIES: usize = 500;

/// The most that is taken of the output. `journalctl` leaves fields of more than 4096 bytes out.
const MOST_OUTPUT: usize = 4 << 20;

const PATIENCE: Duration = Duration::from_secs(10);

const FIELDS: &str = "MESSAGE,MESSAGE_ID,PRIORITY,_SYSTEMD_UNIT,UNIT,EXIT_CODE,EXIT_STATUS";

/// What systemd says when a process of a unit has ended in a way that it takes for a failure.
const PROCESS_EXIT: &str = "98e322203f7a4ed290d09fe03c09fe15";

/// What systemd says when the kernel has killed processes of a unit for want of memory.
const OUT_OF_MEMORY: &str = "fe6faa94e7774663a0da52717891d8ef";

/// How far the journal was read.
#[derive(Debug, Default)]
pub(super) struct Journal {
    place: Place,
    units: BTreeMap<String, UnitCount>,
}

#[derive(Debug, Default)]
enum Place {
    /// Nobody has looked.
    #[default]
    New,
    /// The units had written nothing.
    Beginning,
    /// After this entry.
    After(String),
}

/// What the journal tells of one unit, counted since the first look.
#[derive(Debug, Clone)]
pub(super) struct UnitCount {
    /// What it wrote.
    pub(super) scan: LogScan,
    /// Times that its main process ended and systemd took it for a failure.
    pub(super) ends: u64,
    /// How it ended last.
    pub(super) last_exit: Option<Exit>,
    /// Times that processes of it were killed for want of memory.
    pub(super) oom_kills: u64,
}

/// One entry, as `journalctl --output=json` writes it.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(rename = "MESSAGE_ID", default)]
    message_id: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    writer: Value,
    #[serde(rename = "UNIT", default)]
    subject: Value,
    #[serde(rename = "EXIT_CODE", default)]
    exit_code: Value,
    #[serde(rename = "EXIT_STATUS", default)]
    exit_status: Value,
}

impl Journal {
    /// One that counts these units already.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn of(units: BTreeMap<String, UnitCount>) -> Self {
        Self { place: Place::New, units }
    }

    /// Counts what is new of these units. `None` when the journal cannot be read.
    pub(super) fn read_on(&mut self, units: &[String], life: Life) -> Option<&BTreeMap<String, UnitCount>> {
        for unit in units {
            self.units.entry(unit.clone()).or_insert_with(|| UnitCount {
                scan: LogScan::new(life),
                ends: 0,
                last_exit: None,
                oom_kills: 0,
            });
        }
        let count = format!("--lines={MOST_ENTRIES}");
        let entries = match &self.place {
            Place::New => {
                self.place = newest(units)?;
                return Some(&self.units);
            }
            // What other boots have written was there before.
            Place::Beginning => ask(units, &["--boot", &count])?,
            Place::After(cursor) => ask(units, &[&format!("--after-cursor={cursor}"), &count])?,
        };
        if let Some(last) = entries.last() {
            self.place = Place::After(last.cursor.clone());
        }
        for entry in &entries {
            self.take(entry);
        }
        if entries.len() >= MOST_ENTRIES {
            self.place = newest(units)?;
            self.units.values_mut().for_each(|unit| unit.scan.skip(0));
        }
        if entries.is_empty() {
            self.units.values_mut().for_each(|unit| unit.scan.pause());
        }
        Some(&self.units)
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        if let Some(unit) = entry.writer.as_str().and_then(|unit| self.units.get_mut(unit)) {
            let priority = entry.priority.as_str().and_then(|priority| priority.parse().ok());
            let text = text(&entry.message);
            text.lines().for_each(|line| unit.scan.line(line, priority));
            return;
        }
        let Some(unit) = entry.subject.as_str().and_then(|unit| self.units.get_mut(unit)) else { return };
        match entry.message_id.as_str() {
            Some(OUT_OF_MEMORY) => unit.oom_kills += 1,
            Some(PROCESS_EXIT) if text(&entry.message).contains(": Main process exited") => {
                unit.ends += 1;
                unit.last_exit = exit(entry);
            }
            _ => {}
        }
    }
}

fn exit(entry: &Entry) -> Option<Exit> {
    let status = entry.exit_status.as_str()?.parse().ok()?;
    match entry.exit_code.as_str()? {
        "exited" => Some(Exit::Code(status)),
        "killed" | "dumped" => Some(Exit::Signal(status)),
        _ => None,
    }
}

/// The text of a field: a string, or its bytes where these are not text; nothing where it was left out.
fn text(field: &Value) -> String {
    match field {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            String::from_utf8_lossy(&bytes.iter().filter_map(byte).collect::<Vec<u8>>()).into_owned()
        }
        _ => String::new(),
    }
}

fn newest(units: &[String]) -> Option<Place> {
    let last = ask(units, &["--lines=1"])?.pop();
    Some(last.map_or(Place::Beginning, |entry| Place::After(entry.cursor)))
}

fn ask(units: &[String], which: &[&str]) -> Option<Vec<Entry>> {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--quiet", "--output=json"]).arg(format!("--output-fields={FIELDS}"));
    command.args(which).args(units.iter().map(|unit| format!("--unit={unit}"))).env("LC_ALL", "C");
    let finished = child::run(&mut command, PATIENCE, MOST_OUTPUT).ok()?;
    // An entry that was cut off at the end is none: it is read the next time.
    finished.succeeded().then(|| entries(&finished.stdout))
}

pub(super) fn entries(output: &[u8]) -> Vec<Entry> {
    let lines = output.split(|byte| *byte == b'\n');
    lines.map_while(|line| serde_json::from_slice(line).ok()).take(MOST_ENTRIES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = concat!(
        r#"{"__CURSOR":"s=1","MESSAGE":"ERROR no database","PRIORITY":"6","_SYSTEMD_UNIT":"www@8080.service"}"#,
        "\n",
        r#"{"__CURSOR":"s=2","MESSAGE":[69,82,82,79,82,32,255],"PRIORITY":"6","_SYSTEMD_UNIT":"www@8080.service"}"#,
        "\n",
        r#"{"__CURSOR":"s=3","MESSAGE":null,"PRIORITY":"3","_SYSTEMD_UNIT":"www@8080.service"}"#,
        "\n",
        r#"{"__CURSOR":"s=4","MESSAGE":"www@8080.service: Main process exited, code=killed, status=9/KILL","PRIORITY":"5","#,
        r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","_SYSTEMD_UNIT":"init.scope","UNIT":"www@8080.service","EXIT_CODE":"killed","EXIT_STATUS":"9"}"#,
        "\n",
        r#"{"__CURSOR":"s=5","MESSAGE":"A process was killed","MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef","UNIT":"www@8080.service"}"#,
        "\n",
        r#"{"__CURSOR":"s=6","MESSA"#,
    );

    #[test]
    fn entries_are_counted_where_they_belong_and_half_an_entry_is_none() {
        let unit = "www@8080.service".to_owned();
        let count = UnitCount { scan: LogScan::new(Life::default()), ends: 0, last_exit: None, oom_kills: 0 };
        let mut journal = Journal::of(BTreeMap::from([(unit.clone(), count)]));
        let entries = entries(OUTPUT.as_bytes());
        assert_eq!(entries.len(), 5);
        entries.iter().for_each(|entry| journal.take(entry));
        let found = &mut journal.units.get_mut(&unit).unwrap();
        assert_eq!((found.ends, found.last_exit, found.oom_kills), (1, Some(Exit::Signal(9)), 1));
        found.scan.pause();
        found.scan.pause();
        let log = found.scan.count();
        assert_eq!((log.lines, log.errors), (2, 2), "{log:?}");
    }
}
