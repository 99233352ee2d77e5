//! History is what was written, small, and survives what happens to files.

use andon_core::analysis::Reading;
use andon_core::balance::Histogram;
use andon_core::name::{MemberName, MetricName};
use proptest::prelude::*;

use super::*;

fn metric(name: &str) -> MetricName {
    MetricName::new(name).unwrap()
}

/// A minute of a host that serves about fifty requests a second; numbers vary as those of real services do.
fn minute(host: usize, n: i64, dice: &mut impl FnMut() -> f64) -> Row {
    let mut row = Row::new(
        Time(1_700_000_000_000 + n * 60_000),
        Duration::from_secs(60),
        MemberName::new(format!("web{host}.example.com")).unwrap(),
    );
    // The sum of twelve dice has a standard deviation of one.
    let mut normal = || (0..12).map(|_| dice()).sum::<f64>() - 6.0;
    #[allow(clippy::cast_possible_truncation, reason = "it is small")]
    let mut about = |mean: f64| (mean + mean.sqrt() * normal()).max(0.0).round() as u64;
    let requests = about(3000.0);
    row.readings.insert(metric("errors"), Reading::Count { events: about(3.0), of: requests });
    row.readings.insert(metric("orders"), Reading::Count { events: about(60.0), of: requests });
    let mut latency = Histogram::default();
    for bucket in 20..32u8 {
        let share = 0.4 * (-(f64::from(bucket) - 24.0).powi(2) / 4.0).exp();
        let count = about(3000.0 * share);
        if count > 0 {
            latency.buckets.insert(bucket, count);
            latency.sum_us += count * 10_000;
        }
    }
    row.latency = Some(latency);
    row
}

/// Numbers that only a seed decides.
fn dice(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64) / f64::from(1u32 << 31)
    }
}

fn history() -> (tempfile::TempDir, History) {
    let directory = tempfile::tempdir().unwrap();
    let history = History::open(directory.path().join("www/production"));
    (directory, history)
}

const EVER: Range<Time> = Time(0)..Time(i64::MAX / 2);

#[test]
fn two_days_come_back_as_they_were_and_take_less_than_two_bytes_a_number() {
    let (_directory, mut history) = history();
    let mut dice = dice(7);
    let mut written = Vec::new();
    let mut numbers = 0;
    for n in 0..2 * 24 * 60 {
        let rows: Vec<Row> = (0..5).map(|host| minute(host, n, &mut dice)).collect();
        numbers +=
            rows.iter().map(|row| 6 + row.latency.as_ref().map_or(0, |l| l.buckets.len() + 1)).sum::<usize>();
        history.append(Grain::Minutes, &rows).unwrap();
        written.extend(rows);
    }
    let reader = History::open(history.directory.clone());
    let found = reader.rows(Grain::Minutes, EVER).unwrap();
    assert!(found.rows == written && found.left_out.is_empty());
    let bytes: u64 = reader.files().unwrap().iter().map(|(_, _, path)| path.metadata().unwrap().len()).sum();
    let each = bytes as f64 / numbers as f64;
    println!("{bytes} bytes for {numbers} numbers: {each:.2} bytes each");
    assert!(each < 2.0, "{each}");
    let some = Time(1_700_000_000_000 + 1000 * 60_000)..Time(1_700_000_000_000 + 1010 * 60_000);
    assert_eq!(reader.rows(Grain::Minutes, some).unwrap().rows.len(), 50);
    assert_eq!(reader.members(Grain::Minutes, EVER).unwrap().len(), 5);
    assert!(matches!(
        History::open(history.directory.clone()).append(Grain::Minutes, &written[..1]),
        Err(HistoryError::Taken(_))
    ));
}

#[test]
fn a_torn_tail_costs_its_own_row_and_other_versions_are_left_out_with_a_word() {
    let (_directory, mut history) = history();
    let mut dice = dice(3);
    let rows: Vec<Row> = (0..90).map(|n| minute(1, n, &mut dice)).collect();
    for row in &rows {
        history.append(Grain::Minutes, std::slice::from_ref(row)).unwrap();
    }
    let directory = history.directory.clone();
    drop(history);
    let tail = directory.join("minutes-now.history");
    let bytes = fs::read(&tail).unwrap();
    fs::write(&tail, &bytes[..bytes.len() - 3]).unwrap();
    let mut history = History::open(directory.clone());
    assert_eq!(history.rows(Grain::Minutes, EVER).unwrap().rows, rows[..89]);
    // Whoever goes on writes behind what makes sense.
    for n in 90..160 {
        history.append(Grain::Minutes, &[minute(1, n, &mut dice)]).unwrap();
    }
    assert_eq!(history.rows(Grain::Minutes, EVER).unwrap().rows.len(), 159);
    fs::write(directory.join("minutes-019676.history"), "andon history 9\nwhat do we know").unwrap();
    let found = history.rows(Grain::Minutes, EVER).unwrap();
    assert!(
        found.left_out.len() == 1
            && found.left_out[0].contains("minutes-019676.history is of another version")
    );
    // A crash between packing and forgetting: each row is found once.
    let (_second, mut twice) = self::history();
    for row in &rows[..59] {
        twice.append(Grain::Minutes, std::slice::from_ref(row)).unwrap();
    }
    let before = fs::read(twice.tail(Grain::Minutes)).unwrap();
    twice.append(Grain::Minutes, &rows[59..60]).unwrap();
    assert!(!twice.tail(Grain::Minutes).exists());
    fs::write(twice.tail(Grain::Minutes), before).unwrap();
    assert_eq!(twice.rows(Grain::Minutes, EVER).unwrap().rows, rows[..60]);
}

#[test]
fn what_is_excluded_stays_on_disk_and_does_not_count() {
    let (_directory, mut history) = history();
    let mut dice = dice(5);
    let rows: Vec<Row> = (0..20).map(|n| minute(1, n, &mut dice)).collect();
    history.append(Grain::Minutes, &rows).unwrap();
    let excluding = History::open(history.directory.clone());
    excluding.exclude(rows[5].at..rows[9].at, "deployment #7 failed").unwrap();
    let file = history.directory.join("excluded.jsonl");
    let mut torn = fs::read(&file).unwrap();
    torn.extend_from_slice(b"{\"from\":3");
    fs::write(&file, torn).unwrap();
    excluding.exclude(rows[15].at..rows[15].at + Duration::from_millis(1), "a drill").unwrap();
    let found: Vec<Time> =
        history.rows(Grain::Minutes, EVER).unwrap().rows.iter().map(|row| row.at).collect();
    let left: Vec<usize> = (0..20).filter(|n| found.contains(&rows[*n].at)).collect();
    assert_eq!(left, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 17, 18, 19]);
    assert_eq!(history.excluded().unwrap()[0].why, "deployment #7 failed");
}

#[test]
fn old_days_are_forgotten() {
    let (_directory, mut history) = history();
    let mut dice = dice(9);
    for day in 0..40 {
        for n in 0..60 {
            history.append(Grain::Minutes, &[minute(1, day * 1440 + n, &mut dice)]).unwrap();
        }
    }
    assert_eq!(history.files().unwrap().len(), 37);
}

#[test]
fn an_analysis_gets_a_reading_for_each_number_and_slowness_is_counted_above_its_bound() {
    use andon_core::analysis::{Measure, Metric, Role, SlowBound, Worse};
    use andon_core::line::{Source, Watched};
    let watched = |name: &str, source| {
        let metric = Metric {
            name: metric(name),
            measure: Measure::Rate,
            worse: Worse::Higher,
            role: Role::Other,
            weight: 1.0,
            critical: false,
            margin: 1.1,
            negligible: 0.0,
            harm: 1.5,
        };
        Watched { metric, source }
    };
    let row = minute(1, 0, &mut dice(11));
    let latency = row.latency.clone().unwrap();
    let bounds = [(metric("slow-p90"), SlowBound::of(&latency, 0.9).unwrap())].into();
    let all = [
        watched("slow-p90", Source::Latency { quantile: 90 }),
        watched("slow-p99", Source::Latency { quantile: 99 }),
        watched("errors", Source::Errors),
    ];
    let read = row.for_analysis(&all, &bounds).readings;
    let Reading::Count { events, of } = read[0] else { panic!("{read:?}") };
    assert!(of == latency.count() && events > 0 && events * 10 <= of, "{read:?}");
    assert_eq!((read[1], read[2]), (Reading::Missing, row.reading(&metric("errors"))));
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        Just(Reading::Missing),
        (any::<u64>(), any::<u64>()).prop_map(|(events, of)| Reading::Count { events, of }),
        any::<f32>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(|level| Reading::Level(f64::from(level))),
    ]
}

proptest! {
    #[test]
    fn every_row_comes_back_and_no_bytes_do_harm(
        rows in prop::collection::vec(
            (any::<i64>(), 0..u64::MAX / 2, 0..3usize, prop::collection::vec(reading(), 0..3), any::<Option<u64>>()),
            0..20
        ),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let row = |(at, over, member, readings, latency): (i64, u64, usize, Vec<Reading>, Option<u64>)| {
            let member = MemberName::new(format!("web{member}")).unwrap();
            let over = Duration::from_millis(over >> 1);
            let mut row = Row::new(Time(at), over, member);
            let heard = readings.into_iter().enumerate().filter(|(_, reading)| *reading != Reading::Missing);
            row.readings = heard.map(|(n, reading)| (metric(&format!("m{n}")), reading)).collect();
            row.latency = latency.map(|count| Histogram {
                buckets: [((count % 80) as u8, count.max(1))].into(),
                sum_us: count,
            });
            row
        };
        let rows: Vec<Row> = rows.into_iter().map(row).collect();
        let mut read = block::read(&block::write(&rows)).unwrap();
        let mut expected = rows;
        let order = |one: &Row, other: &Row| one.member.cmp(&other.member);
        expected.sort_by(order);
        read.sort_by(order);
        prop_assert_eq!(read, expected);
        let _ = block::read(&noise);
        let _ = block::read(&zstd::bulk::compress(&noise, 1).unwrap());
    }
}
