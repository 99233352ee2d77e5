//! What came of the rows, as a table in Markdown, and which targets were missed.

use std::fmt::Write as _;

use crate::generator::{float, whole};
use crate::judging::proportion::Proportion;
use crate::judging::row::{ALL_HARMLESS, Claim, Section};
use crate::judging::runner::Ran;
use crate::judging::trial::Outcome;

/// How strict a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// The figures themselves must meet the targets.
    Full,
    /// Few trials: a target is missed only when the interval excludes it.
    Quick,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Markdown.
    pub text: String,
    /// One sentence for each target that was missed.
    pub missed: Vec<String>,
}

/// Makes the table.
pub fn table(ran: &[Ran], strictness: Strictness) -> Table {
    let mut table = Table { text: String::new(), missed: Vec::new() };
    for section in Section::ALL {
        let rows: Vec<&Ran> =
            ran.iter().filter(|ran| ran.row.section == section && !ran.outcomes.is_empty()).collect();
        if rows.is_empty() {
            continue;
        }
        let peers = rows.iter().any(|ran| ran.row.setup.peers);
        let _ = write!(table.text, "\n## {}\n\n", section.title());
        table.text += "| what | servers, new, requests/s | runs | share [95 %] | median / 95th | target | | first design |";
        table.text += if peers { " rank test | Flagger | Argo |\n" } else { "\n" };
        table.text += "|---|---|---|---|---|---|---|---|";
        table.text += if peers { "---|---|---|\n" } else { "\n" };
        for ran in &rows {
            table.row(ran, peers, strictness);
        }
        if section == Section::Harmless {
            table.all_harmless(&rows, strictness);
        }
    }
    table
}

impl Table {
    fn row(&mut self, ran: &Ran, peers: bool, strictness: Strictness) {
        let row = &ran.row;
        let times: Vec<Option<f64>> =
            ran.outcomes.iter().map(|outcome| row.counted.of(&row.setup, outcome)).collect();
        let share = share_within(&times, f64::INFINITY);
        let fleet = row.setup.fleet;
        let place = format!("{}, {}, {}", fleet.servers, fleet.canaries, fleet.rate);
        let judged: Vec<(String, bool)> = (row.claims.iter())
            .map(|claim| (claim_text(*claim, ran), meets(*claim, &times, ran, strictness)))
            .collect();
        self.note(&format!("{} ({place})", row.name), &judged);
        let targets: Vec<&str> = judged.iter().map(|(text, _)| text.as_str()).collect();
        let _ = write!(
            self.text,
            "| {} | {place} | {} | {share} | {} | {} | {} | {} |",
            row.name,
            times.len(),
            quantiles(&times),
            targets.join("; "),
            verdict(&judged),
            row.design,
        );
        if peers {
            let told = |of: fn(&Outcome) -> Option<f64>| {
                let times: Vec<Option<f64>> =
                    ran.outcomes.iter().map(|o| of(o).map(|at| (at - o.onset).max(0.0))).collect();
                let share = share_within(&times, f64::INFINITY);
                if share.hits == 0 {
                    "0 %".to_owned()
                } else {
                    format!("{:.1} %, {}", share.share() * 100.0, quantiles(&times))
                }
            };
            let cells = if row.setup.peers {
                [told(|o| o.rank_test), told(|o| o.flagger), told(|o| o.argo)]
            } else {
                [const { String::new() }; 3]
            };
            let _ = write!(self.text, " {} |", cells.join(" | "));
        }
        self.text.push('\n');
    }

    /// All harmless releases of calibrated traffic together.
    fn all_harmless(&mut self, rows: &[&Ran], strictness: Strictness) {
        let times: Vec<Option<f64>> = rows
            .iter()
            .flat_map(|ran| ran.outcomes.iter().map(|outcome| ran.row.counted.of(&ran.row.setup, outcome)))
            .collect();
        let share = share_within(&times, f64::INFINITY);
        let judged: Vec<(String, bool)> = (ALL_HARMLESS.iter())
            .map(|claim| (claim_text(*claim, rows[0]), meets(*claim, &times, rows[0], strictness)))
            .collect();
        self.note("all harmless releases", &judged);
        let targets: Vec<&str> = judged.iter().map(|(text, _)| text.as_str()).collect();
        let _ = writeln!(
            self.text,
            "| **all of these** | | {} | {share} | | {} | {} | 0.035 % | | | |",
            times.len(),
            targets.join("; "),
            verdict(&judged)
        );
        let pulled =
            rows.iter().flat_map(|ran| &ran.outcomes).filter(|outcome| outcome.suspected.is_some()).count();
        let _ = writeln!(
            self.text,
            "\nIn {pulled} of them an instance was suspected and pulled without need; the release went on."
        );
    }

    fn note(&mut self, name: &str, judged: &[(String, bool)]) {
        for (text, met) in judged {
            if !met {
                self.missed.push(format!("{name}: {text}"));
            }
        }
    }
}

fn verdict(judged: &[(String, bool)]) -> &'static str {
    match judged {
        [] => "",
        all if all.iter().all(|(_, met)| *met) => "✔",
        _ => "✘ missed",
    }
}

fn claim_text(claim: Claim, ran: &Ran) -> String {
    match claim {
        Claim::AtMost(share) => format!("≤ {} %", share * 100.0),
        Claim::SurelyAtMost(share) => format!("upper end ≤ {} %", share * 100.0),
        Claim::AtLeast(share) => format!("≥ {} %", share * 100.0),
        Claim::Within(seconds, 0.5) => format!("median ≤ {seconds} s"),
        Claim::Within(seconds, share) => format!("{} % ≤ {seconds} s", share * 100.0),
        Claim::TwiceThePlan => format!("median ≤ 2 × {:.0} s, as planned", planned(ran)),
    }
}

/// Whether a claim holds: by its figure in a full table, and in a quick one unless the interval excludes it.
fn meets(claim: Claim, times: &[Option<f64>], ran: &Ran, strictness: Strictness) -> bool {
    let least = |of: Proportion, share: f64| match strictness {
        Strictness::Full => of.share() >= share,
        Strictness::Quick => of.interval().1 >= share,
    };
    let all = share_within(times, f64::INFINITY);
    match (claim, strictness) {
        (Claim::AtMost(share), Strictness::Full) => all.share() <= share,
        (Claim::AtMost(share), Strictness::Quick) => all.interval().0 <= share,
        (Claim::SurelyAtMost(share), Strictness::Full) => all.interval().1 <= share,
        (Claim::SurelyAtMost(share), Strictness::Quick) => all.interval().0 <= share,
        (Claim::AtLeast(share), _) => least(all, share),
        (Claim::Within(seconds, share), _) => least(share_within(times, seconds), share),
        (Claim::TwiceThePlan, _) => least(share_within(times, 2.0 * planned(ran)), 0.5),
    }
}

/// The median of what the planner said before each deployment, in seconds.
fn planned(ran: &Ran) -> f64 {
    let planned: Vec<Option<f64>> = ran.outcomes.iter().map(|outcome| outcome.planned).collect();
    quantile(&planned, 0.5).unwrap_or(f64::INFINITY)
}

fn share_within(times: &[Option<f64>], seconds: f64) -> Proportion {
    let hits = times.iter().flatten().filter(|time| **time <= seconds).count();
    Proportion { hits: hits as u64, trials: times.len() as u64 }
}

/// The time within which the given share of all trials had it happen; `None` when so many never did.
fn quantile(times: &[Option<f64>], share: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.unwrap_or(f64::INFINITY)).collect();
    sorted.sort_by(f64::total_cmp);
    let at = usize::try_from(whole((share * float(sorted.len() as u64)).ceil()).saturating_sub(1)).ok()?;
    sorted.get(at).copied().filter(|time| time.is_finite())
}

/// Median and 95th percentile over all trials, those in which it never happened included.
fn quantiles(times: &[Option<f64>]) -> String {
    let show = |share| quantile(times, share).map_or_else(|| "–".to_owned(), |time| format!("{time:.0}"));
    match (show(0.5), show(0.95)) {
        (median, last) if median == "–" && last == "–" => String::new(),
        (median, last) => format!("{median} / {last} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judging::row;

    fn ran(times: &[Option<f64>], claims: &[Claim]) -> Ran {
        let row = row::rows().into_iter().find(|row| row.section == Section::Faults).unwrap();
        let outcomes = times.iter().map(|failed| Outcome { failed: *failed, ..Outcome::default() }).collect();
        Ran { row: row::Row { claims: claims.to_vec(), ..row }, outcomes }
    }

    #[test]
    fn a_quantile_counts_those_that_never_came() {
        let times = [Some(10.0), None, Some(30.0), Some(20.0)];
        assert_eq!(quantile(&times, 0.5), Some(20.0));
        assert_eq!(quantile(&times, 0.95), None);
        assert_eq!(quantiles(&times), "20 / – s");
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_missed_target_is_named_and_a_quick_table_needs_to_be_sure() {
        let mut times = vec![Some(100.0); 38];
        times.extend([None; 2]);
        let ran = [ran(&times, &[Claim::AtLeast(0.99), Claim::Within(90.0, 0.5)])];
        let full = table(&ran, Strictness::Full);
        assert_eq!(full.missed.len(), 2, "{:?}", full.missed);
        assert!(full.text.contains("✘ missed"));
        // 38 of 40 may be 99 %; none of 40 within 90 s is not half of them.
        let quick = table(&ran, Strictness::Quick);
        assert_eq!(quick.missed, ["errors × 3 (5, 1, 5): median ≤ 90 s"]);
    }
}
