//! The same recording gives the same standings, bit for bit, wherever it is cut.

use andon_core::analysis::{Entry, Judge, Recording, Role, Spec, Standing};
use andon_core::time::Time;

use super::world::{World, metric};

/// A recording with a stage change, trouble, a late tick and a member that comes and goes.
fn recording() -> Recording {
    let mut world = World::errors(3, 9);
    world.load = 60.0;
    for tick in 0..120_u32 {
        if tick == 40 {
            let entry = Entry::Stage { at: Time(world.at) };
            world.judge.apply(&entry);
            world.entries.push(entry);
        }
        if tick == 60 {
            world.canaries.pop();
        }
        let fault = if tick > 60 { 30.0 } else { 1.0 };
        let rate = move |name: &str, _: andon_core::analysis::Arm| match name {
            "web1" | "web2" => 0.001 * fault,
            _ => 0.001,
        };
        let mut made = world.make(rate);
        if tick % 17 == 3 {
            made.at = Time(made.at.0 - 20_000);
        }
        world.hear(made);
    }
    let header =
        andon_core::analysis::Header::new(world.judge.spec().clone(), world.judge.baseline().clone());
    Recording { header, entries: world.entries }
}

fn standings(mut judge: Judge, entries: &[Entry]) -> Vec<Standing> {
    let one = |entry: &Entry| {
        judge.apply(entry);
        judge.standing()
    };
    entries.iter().map(one).collect()
}

fn bits(standings: &[Standing]) -> Vec<u64> {
    let of = |standing: &Standing| {
        let metrics = standing.metrics.iter().flat_map(|metric| {
            let bounds = [metric.ratio, metric.low, metric.high].map(|bound| bound.unwrap_or(-1.0));
            bounds.into_iter().chain([metric.ln_worse, metric.ln_harmless]).map(f64::to_bits)
        });
        metrics.chain([standing.ln_evidence.to_bits()]).collect::<Vec<_>>()
    };
    standings.iter().flat_map(of).collect()
}

#[test]
fn a_fold_that_is_cut_anywhere_goes_on_bit_for_bit() {
    let recording = recording();
    let fresh = || Judge::new(recording.header.spec.clone(), recording.header.baseline.clone());
    let whole = standings(fresh(), &recording.entries);
    assert_eq!(bits(&whole), bits(&standings(fresh(), &recording.entries)));
    assert!(whole.last().unwrap().ln_evidence > 5.0);
    let mut judge = fresh();
    for (index, entry) in recording.entries.iter().enumerate() {
        // What a store keeps is the state or the entries: both go on alike.
        if index % 10 == 7 {
            let text = serde_json::to_string(&judge).unwrap();
            let restored: Judge = serde_json::from_str(&text).unwrap();
            assert_eq!(restored, judge, "after {index}");
            judge = restored;
        }
        judge.apply(entry);
        let standing = judge.standing();
        assert_eq!(standing, whole[index], "after {index}");
        assert_eq!(bits(&[standing]), bits(&whole[index..=index]), "after {index}");
    }
}

#[test]
fn a_recording_survives_its_text() {
    let recording = recording();
    let mut text = serde_json::to_string(&recording.header).unwrap();
    for entry in &recording.entries {
        text.push('\n');
        text.push_str(&serde_json::to_string(entry).unwrap());
    }
    let mut lines = text.lines();
    let header = serde_json::from_str(lines.next().unwrap()).unwrap();
    let entries = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let read = Recording { header, entries };
    assert_eq!(read, recording);
    assert_eq!(read.replay().standing(), recording.replay().standing());
}

#[test]
fn json_reads_numbers_as_they_were_written() {
    let mut spec = Spec::new(vec![metric("errors", Role::Errors)]);
    for bits in
        [0x3fb9_9999_9999_999a_u64, 0x4005_bf0a_8b14_5769, 0x0000_0000_0000_0001, 0x7fef_ffff_ffff_ffff]
    {
        spec.alpha = f64::from_bits(bits);
        let read: Spec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
        assert_eq!(read.alpha.to_bits(), bits);
    }
    // A number that the fast way of reading gets wrong in its last bit.
    let text = "8.533e+68";
    assert_eq!(serde_json::from_str::<f64>(text).unwrap().to_bits(), text.parse::<f64>().unwrap().to_bits());
}
