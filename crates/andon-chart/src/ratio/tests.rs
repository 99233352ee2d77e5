//! Rows that hurt, that do not, and that do not know.

use proptest::prelude::*;

use super::*;
use crate::{overlap, preview};

fn row(name: &str, ratio: f64, low: f64, high: Option<f64>, harm: (Option<f64>, Option<f64>)) -> Row {
    Row { name: name.to_owned(), ratio: Some(ratio), low: Some(low), high, harm, blamed: false }
}

fn rows() -> Rows {
    let unheard =
        Row { ratio: None, low: None, high: None, ..row("memory", 0.0, 0.0, None, (Some(2.0), None)) };
    Rows {
        rows: vec![
            row("errors", 9.63, 4.08, None, (Some(2.0), None)),
            row("latency p99", 1.04, 0.97, Some(1.12), (Some(1.5), None)),
            row("orders", 0.9, 0.4, Some(2.1), (None, Some(0.7))),
            unheard,
        ],
    }
}

fn both(rows: &Rows) -> [Chart; 2] {
    [Room::Narrow, Room::Wide].map(|room| rows.chart(room))
}

#[test]
fn an_interval_beyond_the_line_hurts_and_one_before_it_does_not() {
    let said: Vec<Says> = rows().rows.iter().map(Row::says).collect();
    assert_eq!(said, [Says::Harm, Says::Harmless, Says::Open, Says::Nothing]);
    let either = row("cpu", 1.0, 0.8, Some(1.3), (Some(1.5), Some(0.6)));
    assert_eq!(either.says(), Says::Harmless);
    assert_eq!(Row { low: Some(0.5), ..either }.says(), Says::Open);
    let less = row("orders", 0.3, 0.1, Some(0.5), (None, Some(0.7)));
    assert_eq!(less.says(), Says::Harm);
    assert_eq!(less.numbers(), "0.30 × [0.10 … 0.50]");
}

#[test]
fn each_metric_is_a_row() {
    let [narrow, wide] = both(&rows());
    for chart in [&narrow, &wide] {
        overlap::check(chart);
        preview::keep("ratio", chart);
        assert!(chart.about().contains("errors 9.6 × [4.1 … ?]: it hurts"), "{}", chart.about());
    }
    insta::assert_snapshot!("rows", wide.svg());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn anything_is_drawn(
        rows in prop::collection::vec(
            (".{0,40}", any::<Option<f64>>(), any::<Option<f64>>(), any::<Option<f64>>(), any::<(Option<f64>, Option<f64>)>(), any::<bool>()),
            0..50,
        ),
    ) {
        let of = |(name, ratio, low, high, harm, blamed)| Row { name, ratio, low, high, harm, blamed };
        both(&Rows { rows: rows.into_iter().map(of).collect() }).iter().for_each(overlap::check);
    }
}
