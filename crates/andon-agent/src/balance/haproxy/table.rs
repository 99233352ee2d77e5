//! Reads the tables of HAProxy's runtime API. Columns are found by their names: each version has some more. Pure.

use std::collections::HashMap;

/// The most columns; HAProxy 3.2 has 110.
const MAX_COLUMNS: usize = 256;

/// The most rows: twice the servers whose statistics fit into an answer.
const MAX_ROWS: usize = 20_000;

/// One line of a table.
pub(super) struct Row<'t>(HashMap<&'t str, String>);

impl Row<'_> {
    /// The text in a column; `None` where the table has none of that name, or nothing in it.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The number in a column; 0 where there is none.
    pub(super) fn number(&self, column: &str) -> u64 {
        self.get(column).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

/// The rows of `show servers state`: a version, the columns after `# `, then words between blanks. `None` when the
/// text is no such table.
pub(super) fn states(text: &str) -> Option<Vec<Row<'_>>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# be_id "));
    let columns: Vec<&str> = lines.next()?.split_ascii_whitespace().skip(1).take(MAX_COLUMNS).collect();
    let rows = lines.filter(|line| !line.trim().is_empty()).take(MAX_ROWS);
    let rows = rows.map(|line| row(&columns, line.split_ascii_whitespace().map(str::to_owned)));
    Some(rows.collect())
}

/// The rows of `show stat`: the columns after `# `, then values between commas, in quotes where they need them.
pub(super) fn statistics(text: &str) -> Option<Vec<Row<'_>>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# pxname,"));
    let columns: Vec<&str> = lines.next()?.trim_start_matches("# ").split(',').take(MAX_COLUMNS).collect();
    let rows = lines.filter(|line| !line.trim().is_empty()).take(MAX_ROWS);
    Some(rows.map(|line| row(&columns, values(line, columns.len()).into_iter())).collect())
}

fn row<'t>(columns: &[&'t str], values: impl Iterator<Item = String>) -> Row<'t> {
    Row(columns.iter().copied().zip(values).filter(|(_, value)| !value.is_empty()).collect())
}

/// Splits a line at its commas, into at most `most` values. A quote begins a value in which commas mean nothing and two quotes mean one.
fn values(line: &str, most: usize) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut values, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted && values.len() >= most => break,
            ',' if !quoted => values.push(String::new()),
            other => push(&mut values, other),
        }
    }
    values
}

fn push(values: &mut [String], character: char) {
    if let Some(last) = values.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_are_found_by_their_names() {
        let text = "1\n# be_id be_name srv_id srv_name novelty srv_admin_state\n3 www 1 web1 x 8\n\n";
        let rows = states(text).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].get("srv_name"), rows[0].number("srv_admin_state")), (Some("web1"), 8));
        assert_eq!((rows[0].get("srv_uweight"), rows[0].number("srv_uweight")), (None, 0));
    }

    #[test]
    fn quoted_values_may_hold_commas_and_quotes() {
        let text = "# pxname,svname,last_chk,scur,\nwww,web1,\"said \"\"no, never\"\"\",7,\n";
        let rows = statistics(text).unwrap();
        assert_eq!(rows[0].get("last_chk"), Some("said \"no, never\""));
        assert_eq!(rows[0].number("scur"), 7);
    }

    #[test]
    fn a_table_that_no_haproxy_has_stays_small() {
        let commas = format!("# pxname,svname,{0}\n{0}\n", ",".repeat(100_000));
        let rows = statistics(&commas).unwrap();
        assert_eq!((rows.len(), rows[0].0.len()), (1, 0), "nothing is kept of what is empty");
        let wide = format!("# pxname,{}\n", (0..1000).map(|n| format!("c{n},")).collect::<String>());
        let text = format!("{wide}{}\n", "1,".repeat(1000));
        let rows = statistics(&text).unwrap();
        assert_eq!(rows[0].0.len(), MAX_COLUMNS);
        assert_eq!(
            statistics(&format!("# pxname,svname\n{}", "a\n".repeat(30_000))).unwrap().len(),
            MAX_ROWS
        );
        assert_eq!(states(&format!("# be_id x\n{}", "a\n".repeat(30_000))).unwrap().len(), MAX_ROWS);
    }

    proptest! {
        #[test]
        fn what_is_written_as_haproxy_does_is_read_as_it_was(
            values in proptest::collection::vec("[ -~äß]{0,12}", 1..8),
        ) {
            let columns = (0..values.len()).map(|n| format!("c{n}"));
            let header = columns.clone().collect::<Vec<_>>().join(",");
            let written = values.iter().map(|value| match value.contains([',', '"']) {
                true => format!("\"{}\"", value.replace('"', "\"\"")),
                false => value.clone(),
            });
            let text = format!("# pxname,{header}\nwww,{}\n", written.collect::<Vec<_>>().join(","));
            let rows = statistics(&text).unwrap();
            for (column, value) in columns.zip(&values) {
                prop_assert_eq!(rows[0].get(&column).unwrap_or_default(), value);
            }
        }
    }

    #[test]
    fn other_text_is_no_table() {
        for text in ["", "\n", "Unknown command\n", "# name\nwww\n", "<html>"] {
            assert!(states(text).is_none() && statistics(text).is_none(), "{text:?}");
        }
        assert!(statistics("# pxname,svname\n\"www,web1").unwrap()[0].get("svname").is_none());
    }
}
