//! Recordings: what is written is read; what was torn or damaged is told apart.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use andon_core::analysis::{Arm, Measure, Metric, Reading, Role, Seen, Tick, Worse};
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

use super::*;

fn head() -> Head {
    let errors = Metric {
        name: MetricName::new("errors").unwrap(),
        measure: Measure::Rate,
        worse: Worse::Higher,
        role: Role::Errors,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
    };
    Head::new(Spec::new(vec![errors]), Baseline::default())
}

fn entry(at: i64) -> Entry {
    let seen = |arm, events| Seen {
        arm,
        age: None,
        readings: vec![Reading::Count { events, of: 1_000 }],
        alarms: Vec::new(),
    };
    let members = BTreeMap::from([
        (MemberName::new("new").unwrap(), seen(Arm::Canary, 3)),
        (MemberName::new("old").unwrap(), seen(Arm::Control, 1)),
    ]);
    Entry::Tick(Tick { at: Time(at), over: Duration::from_secs(2), members, silent: Vec::new() })
}

#[test]
fn what_is_written_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    let mut writer = RecordingWriter::create(&path, &head()).unwrap();
    let entries = vec![Entry::Stage { at: Time(0) }, entry(2_000), entry(4_000)];
    entries.iter().for_each(|entry| writer.append(entry).unwrap());
    let recording = read(&path).unwrap();
    assert_eq!(recording, Recording { head: head(), entries, torn: 0 });
    assert_eq!(recording.judge().standing().entries, 3);
    assert!(RecordingWriter::create(&path, &head()).is_err(), "a recording is never written over");
}

#[test]
fn a_torn_line_is_told_and_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    RecordingWriter::create(&path, &head()).unwrap().append(&entry(2_000)).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"tick\":{\"at\":40");
    fs::write(&path, &torn).unwrap();
    assert_eq!(read(&path).unwrap().torn, 16);
    let (mut writer, recording) = RecordingWriter::open_resume(&path).unwrap();
    assert_eq!((recording.entries.len(), recording.torn), (1, 16));
    assert_eq!(fs::read(&path).unwrap(), whole);
    writer.append(&entry(4_000)).unwrap();
    assert_eq!(read(&path).unwrap().entries, [entry(2_000), entry(4_000)]);
}

#[test]
fn what_is_damaged_in_the_middle_is_an_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    let told = |text: String| {
        fs::write(&path, text).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let head = serde_json::to_string(&head()).unwrap();
    let entry = serde_json::to_string(&entry(1)).unwrap();
    assert!(told(format!("{head}\n{{\"tick\":7}}\n{entry}\n")).contains("line 2: "));
    assert!(told(format!("{entry}\n")).contains("line 1: missing field `recording`"));
    let other = head.replace("\"recording\":1", "\"recording\":9");
    assert!(told(format!("{other}\n")).contains("it has form 9; this andon reads form 1"));
    assert!(told(String::new()).contains("this is no recording"));
    assert!(told(head).contains("this is no recording"), "a head that was torn is none");
    assert!(told(" ".repeat(MAX_LINE + 2)).contains("longer than 8 MiB"));
}
