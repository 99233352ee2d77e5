//! Reads the tables of HAProxy's runtime API. Columns are found by their names: each version has some more. Pure.

use std::collections::HashMap;

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
    let columns: Vec<&str> = lines.next()?.split_ascii_whitespace().skip(1).collect();
    let rows = lines.filter(|line| !line.trim().is_empty());
    let rows = rows.map(|line| row(&columns, line.split_ascii_whitespace().map(str::to_owned)));
    Some(rows.collect())
}

/// The rows of `show stat`: the columns after `# `, then values between commas, in quotes where they need them.
pub(super) fn statistics(text: &str) -> Option<Vec<Row<'_>>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# pxname,"));
    let columns: Vec<&str> = lines.next()?.trim_start_matches("# ").split(',').collect();
    let rows = lines.filter(|line| !line.trim().is_empty());
    Some(rows.map(|line| row(&columns, values(line).into_iter())).collect())
}

fn row<'t>(columns: &[&'t str], values: impl Iterator<Item = String>) -> Row<'t> {
    Row(columns.iter().copied().zip(values).collect())
}

/// Splits a line at its commas. A quote begins a value in which commas mean nothing and two quotes mean one.
fn values(line: &str) -> Vec<String> {
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
    fn other_text_is_no_table() {
        for text in ["", "\n", "Unknown command\n", "# name\nwww\n", "<html>"] {
            assert!(states(text).is_none() && statistics(text).is_none(), "{text:?}");
        }
        assert!(statistics("# pxname,svname\n\"www,web1").unwrap()[0].get("svname").is_none());
    }
}
