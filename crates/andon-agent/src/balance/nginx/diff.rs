//! What an edit has changed, as text in the unified form. Bounded in time and length.

/// More lines than this on a side are shown as removed and added as a whole.
const MAX_LINES: usize = 1000;

/// The longest difference, in bytes.
pub(super) const MAX_DIFF: usize = 4096;

/// Unchanged lines around each change.
const CONTEXT: usize = 2;

/// The lines that differ between two texts, with those around them; at most [`MAX_DIFF`] bytes.
pub(super) fn unified(old: (&str, &str), new: (&str, &str)) -> String {
    let mut text = format!("--- {}\n+++ {}\n", old.0, new.0);
    let edits = edits(&old.1.lines().collect::<Vec<_>>(), &new.1.lines().collect::<Vec<_>>());
    let near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        edits.iter().skip(from).take(index - from + CONTEXT + 1).any(|(mark, _)| *mark != ' ')
    };
    let (mut old_line, mut new_line, mut open) = (1, 1, false);
    for (index, (mark, line)) in edits.iter().enumerate() {
        let shown = near(index);
        if shown && !open {
            text += &format!("@@ -{old_line} +{new_line} @@\n");
        }
        if shown {
            text.push(*mark);
            text += line;
            text.push('\n');
        }
        open = shown;
        old_line += usize::from(*mark != '+');
        new_line += usize::from(*mark != '-');
        if text.len() > MAX_DIFF {
            break;
        }
    }
    clip(text)
}

/// The beginning of a text, at most [`MAX_DIFF`] bytes.
pub(super) fn clip(mut text: String) -> String {
    const MORE: &str = "\n(there is more)";
    if text.len() > MAX_DIFF {
        let end = (0..=MAX_DIFF - MORE.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += MORE;
    }
    text
}

/// Every line of both texts once, with ` `, `-` or `+`, along a longest common subsequence.
fn edits<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<(char, &'t str)> {
    let all = |mark: char, lines: &[&'t str]| lines.iter().map(|line| (mark, *line)).collect::<Vec<_>>();
    if old.len().max(new.len()) > MAX_LINES {
        return [all('-', old), all('+', new)].concat();
    }
    // common[i][j]: how many lines old[i..] and new[j..] have in common.
    let mut common = vec![vec![0_u16; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            edits.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if common[i + 1][j] >= common[i][j + 1] {
            edits.push(('-', old[i]));
            i += 1;
        } else {
            edits.push(('+', new[j]));
            j += 1;
        }
    }
    edits.extend(all('-', &old[i..]));
    edits.extend(all('+', &new[j..]));
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nb\nc\nD\ne\nf\ng\nh\ni\n";
        assert_eq!(
            unified(("ours", old), ("theirs", new)),
            "--- ours\n+++ theirs\n@@ -2 +2 @@\n b\n c\n-d\n+D\n e\n f\n g\n h\n+i\n"
        );
        assert_eq!(unified(("a", old), ("b", old)), "--- a\n+++ b\n");
    }

    #[test]
    fn a_huge_edit_is_clipped_between_letters() {
        let huge = "ü".repeat(MAX_DIFF);
        let many = "x\n".repeat(MAX_LINES * 2);
        for text in [huge, many] {
            let diff = unified(("ours", ""), ("theirs", &text));
            assert!(diff.len() <= MAX_DIFF && diff.ends_with("(there is more)"), "{}", diff.len());
        }
    }
}
