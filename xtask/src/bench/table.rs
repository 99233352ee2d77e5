//! The one table in which every bench ends.

use std::collections::BTreeSet;
use std::fmt::Write;

/// What came of measuring one peer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Peer {
    /// Its figure.
    Measured(f64),
    /// Why there is none.
    NotMeasured(String),
}

/// One figure of ours beside one of somebody else. Smaller is better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// What was measured, with its unit.
    pub(super) name: String,
    /// Our figure, or why there is none.
    pub(super) ours: Peer,
    /// Who else.
    pub(super) peer: String,
    /// Their figure.
    pub(super) theirs: Peer,
    /// The largest ratio of ours to theirs that is good enough; `None` when the row is for information.
    pub(super) target: Option<f64>,
}

impl Row {
    /// Our figure beside the most that it may be; without that it is for information.
    pub(super) fn within(title: &str, ours: Peer, most: Option<f64>) -> Self {
        Self {
            name: title.to_owned(),
            ours,
            peer: if most.is_some() { "budget" } else { "for information" }.to_owned(),
            theirs: most.map_or_else(|| Peer::NotMeasured("it has no budget".to_owned()), Peer::Measured),
            target: most.map(|_| 1.0),
        }
    }

    /// Ours divided by theirs. Nought is as good as nought, and whatever is more is infinitely worse.
    fn ratio(&self) -> Option<f64> {
        match (&self.ours, &self.theirs) {
            (Peer::Measured(ours), Peer::Measured(theirs)) if *theirs == 0.0 => {
                Some(if *ours == 0.0 { 1.0 } else { f64::INFINITY })
            }
            (Peer::Measured(ours), Peer::Measured(theirs)) if *theirs > 0.0 => Some(ours / theirs),
            _ => None,
        }
    }

    /// Whether the ratio was measured and is too large, or our own figure is missing.
    pub(super) fn is_missed(&self) -> bool {
        match (self.target, self.ratio()) {
            (Some(target), Some(ratio)) => ratio > target,
            (Some(_), None) => matches!(self.ours, Peer::NotMeasured(_)),
            (None, _) => false,
        }
    }

    fn cells(&self) -> [String; 7] {
        let figure = |peer: &Peer| match peer {
            Peer::Measured(figure) => format!("{figure:.3}"),
            Peer::NotMeasured(_) => "not measured".to_owned(),
        };
        let verdict = match (self.target, self.ratio()) {
            (None, _) => "",
            _ if self.is_missed() => "MISSED",
            (Some(_), Some(_)) => "met",
            (Some(_), None) => "not compared",
        };
        [
            self.name.clone(),
            figure(&self.ours),
            self.peer.clone(),
            figure(&self.theirs),
            self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.target.map_or_else(String::new, |target| format!("<= {target:.2}")),
            verdict.to_owned(),
        ]
    }
}

/// The rows as text in columns, with a heading, and below them why a figure is missing.
pub(super) fn render(rows: &[Row]) -> String {
    let heading = ["measured", "andon", "peer", "figure", "ratio", "target", ""].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(heading).chain(rows.iter().map(Row::cells)).collect();
    let mut text = String::new();
    for line in &lines {
        for (column, cell) in line.iter().enumerate() {
            let width = lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
            // Writing to a string cannot fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for (who, why) in reasons(rows) {
        let _ = writeln!(text, "{who}: {why}");
    }
    text
}

/// Who has no figure, and why, each once.
fn reasons(rows: &[Row]) -> BTreeSet<(&str, &str)> {
    let sides = rows.iter().flat_map(|row| [("andon", &row.ours), (row.peer.as_str(), &row.theirs)]);
    let missing = sides.filter_map(|(who, peer)| match peer {
        Peer::NotMeasured(why) => Some((who, why.as_str())),
        Peer::Measured(_) => None,
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: Peer, theirs: Peer, target: Option<f64>) -> Row {
        Row { name: "run cold, s".into(), ours, peer: "clush".into(), theirs, target }
    }

    #[test]
    fn a_target_is_met_up_to_its_very_figure() {
        assert!(!row(Peer::Measured(1.0), Peer::Measured(1.0), Some(1.0)).is_missed());
        assert!(row(Peer::Measured(1.1), Peer::Measured(1.0), Some(1.0)).is_missed());
        assert!(!row(Peer::Measured(9.0), Peer::Measured(1.0), None).is_missed());
    }

    #[test]
    fn a_budget_of_nought_is_met_by_nought_only() {
        assert!(!row(Peer::Measured(0.0), Peer::Measured(0.0), Some(1.0)).is_missed());
        assert!(row(Peer::Measured(1.0), Peer::Measured(0.0), Some(1.0)).is_missed());
    }

    #[test]
    fn a_missing_peer_is_no_victory_and_a_missing_figure_of_ours_a_defeat() {
        let missing = || Peer::NotMeasured("not installed".into());
        let lonely = row(Peer::Measured(1.0), missing(), Some(1.0));
        assert!(!lonely.is_missed());
        let text = render(&[lonely.clone(), lonely]);
        assert!(text.contains("not compared"));
        assert_eq!(text.matches("clush: not installed").count(), 1);
        assert!(row(missing(), Peer::Measured(1.0), Some(1.0)).is_missed());
    }
}
