//! Recordings: what is written is read; what was torn or damaged is told apart.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use andon_core::analysis::{Arm, Baseline, Measure, Metric, Reading, Role, Seen, Spec, Tick, Worse};
use andon_core::name::{MemberName, MetricName};
use andon_core::time::Time;

use super::*;

fn header() -> Header {
    let errors = Metric {
        name: MetricName::new("errors").unwrap(),
        measure: Measure::Rate,
        worse: Worse::Higher,
        role: Role::Errors,
        weight: 1.0,
        critical: true,
        margin: 1.1,
        harm: 2.0,
        negligible: 0.0,
    };
    Header::new(Spec::new(vec![errors]), Baseline::default())
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
    let mut writer = RecordingWriter::create(&path, &header()).unwrap();
    let entries = vec![Entry::Stage { at: Time(0) }, entry(2_000), entry(4_000)];
    entries.iter().for_each(|entry| writer.append(entry).unwrap());
    let kept = read(&path).unwrap();
    assert_eq!(kept, Kept { recording: Recording { header: header(), entries }, torn: 0 });
    assert_eq!(kept.recording.replay().standing().entries, 3);
    assert!(RecordingWriter::create(&path, &header()).is_err(), "a recording is never written over");
}

#[test]
fn a_torn_line_is_told_and_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    RecordingWriter::create(&path, &header()).unwrap().append(&entry(2_000)).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"{\"tick\":{\"at\":40");
    fs::write(&path, &torn).unwrap();
    assert_eq!(read(&path).unwrap().torn, 16);
    let (mut writer, kept) = RecordingWriter::open_resume(&path).unwrap();
    assert_eq!((kept.recording.entries.len(), kept.torn), (1, 16));
    assert_eq!(fs::read(&path).unwrap(), whole);
    writer.append(&entry(4_000)).unwrap();
    assert_eq!(read(&path).unwrap().recording.entries, [entry(2_000), entry(4_000)]);
}

#[test]
fn what_is_damaged_in_the_middle_is_an_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    let told = |text: String| {
        fs::write(&path, text).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let head = serde_json::to_string(&header()).unwrap();
    let entry = serde_json::to_string(&entry(1)).unwrap();
    assert!(told(format!("{head}\n{{\"tick\":7}}\n{entry}\n")).contains("line 2: "));
    assert!(told(format!("{entry}\n")).contains("line 1: missing field `version`"));
    let other = head.replace("\"version\":1", "\"version\":9");
    assert!(told(format!("{other}\n")).contains("it has version 9, which this andon does not know"));
    assert!(told(String::new()).contains("this is no recording"));
    assert!(told(head).contains("this is no recording"), "a head that was torn is none");
    assert!(told(" ".repeat(MAX_LINE + 2)).contains("longer than 8 MiB"));
}

#[test]
fn a_sample_is_quick_however_long_a_recording_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording.jsonl");
    let sampled = |entries: i64| {
        let mut text = serde_json::to_string(&header()).unwrap() + "\n";
        for n in 0..entries {
            text += &(serde_json::to_string(&entry(n * 1_000)).unwrap() + "\n");
        }
        // A crash tore off the last line.
        text += "{\"tick\":{\"at\":40";
        fs::write(&path, text).unwrap();
        let mut seen = Vec::new();
        let head = sample(&path, |_, entry| {
            if let Entry::Tick(tick) = entry {
                seen.push(tick.at);
            }
        });
        assert_eq!(head, Some(header()));
        assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
        seen
    };
    assert_eq!(sampled(50).len(), 50, "a short one is read whole");
    let long = sampled(30_000);
    assert!((200..=400).contains(&long.len()), "{}", long.len());
    assert!(long[0] == Time(0) && long[long.len() - 1].0 > 29_800_000, "{long:?}");
    assert_eq!(sample(&dir.path().join("none"), |_, _| {}), None);
    fs::write(&path, b"\xff\xff\n").unwrap();
    assert_eq!(sample(&path, |_, _| {}), None);
}
