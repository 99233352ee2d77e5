//! What libFuzzer says of a run, in one line.

use std::fmt;

/// What came of one target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    target: String,
    runs: String,
    a_second: String,
    coverage: String,
    /// What did harm, and the input that did.
    pub(crate) finding: Option<(String, String)>,
}

impl Report {
    /// Reads what the run of `target` printed.
    pub(crate) fn read(target: &str, succeeded: bool, said: &str) -> Self {
        let statistic = |name: &str| {
            let line = said.lines().rev().find_map(|line| line.strip_prefix(name));
            line.map_or_else(|| "?".to_owned(), |number| number.trim_matches([':', ' ']).to_owned())
        };
        let coverage = said.lines().rev().find_map(|line| {
            let (_, behind) = line.split_once("cov: ")?;
            behind.split_ascii_whitespace().next()
        });
        let finding = (!succeeded).then(|| {
            let input = said.lines().find_map(|line| line.split_once("Test unit written to "));
            (reason(said), input.map_or_else(String::new, |(_, input)| input.trim().to_owned()))
        });
        Self {
            target: target.to_owned(),
            runs: statistic("stat::number_of_executed_units"),
            a_second: statistic("stat::average_exec_per_sec"),
            coverage: coverage.unwrap_or("?").to_owned(),
            finding,
        }
    }
}

/// The line that says what happened, and the one behind it.
fn reason(said: &str) -> String {
    let tells = |line: &&str| {
        ["panicked at", "MORE MEMORY THAN ALLOWED", "ERROR: libFuzzer", "stack overflow"]
            .iter()
            .any(|words| line.contains(words))
    };
    let mut lines = said.lines().skip_while(|line| !tells(line));
    let two: Vec<&str> = lines.by_ref().take(2).map(str::trim).collect();
    if two.is_empty() { said.lines().last().unwrap_or_default().to_owned() } else { two.join(" ") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, runs, a_second, coverage, finding } = self;
        write!(f, "{target:16} {runs:>9} runs, {a_second:>6} a second, coverage {coverage:>5}: ")?;
        match finding {
            None => f.write_str("no harm"),
            Some((reason, input)) => {
                write!(f, "HARM\n  {reason}\n  again: cargo xtask fuzz {target} --replay {input}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 31Mb\n#144582\tDONE   cov: 1403 ft: 2 corp: 3/4b\n\
        stat::number_of_executed_units: 144582\nstat::average_exec_per_sec:     28916\n";

    #[test]
    fn a_run_without_harm_is_one_line() {
        let report = Report::read("frame", true, FINE);
        assert_eq!(
            report.to_string(),
            "frame               144582 runs,  28916 a second, coverage  1403: no harm"
        );
    }

    #[test]
    fn harm_is_told_with_the_command_that_shows_it_again() {
        let said = "thread '<unnamed>' (7) panicked at src/x.rs:1:2:\nit is broken\n==7== ERROR: libFuzzer: deadly signal\n\
            artifact_prefix='/t/line-'; Test unit written to /t/line-crash-ab\n";
        let shown = Report::read("line", false, said).to_string();
        assert!(shown.contains("panicked at src/x.rs:1:2: it is broken"), "{shown}");
        assert!(shown.ends_with("cargo xtask fuzz line --replay /t/line-crash-ab"), "{shown}");
        assert!(Report::read("line", false, "").finding.is_some());
    }
}
