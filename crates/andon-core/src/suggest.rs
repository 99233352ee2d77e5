//! "Did you mean": the nearest known name to an unknown one.

/// The candidate nearest to `wrong`, if one is near enough to be a likely slip.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.get(..64).unwrap_or(wrong);
    let limit = 1 + wrong.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(wrong, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("prodution", ["staging", "production"]), Some("production"));
        assert_eq!(nearest("banana", ["staging", "production"]), None);
    }
}
