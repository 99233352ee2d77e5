//! "Did you mean": the nearest known name to an unknown one.

/// The candidate nearest to `wrong`, if one is near enough to be a likely slip or an abbreviation.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// The longest text that is compared: distances cost time by the square.
    const LONGEST: usize = 64;
    let length = wrong.chars().count();
    if !(2..=LONGEST).contains(&length) {
        return None;
    }
    let limit = if length < 3 { 0 } else { 1 + length / 4 };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 4 * LONGEST)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(wrong, candidate);
            // An abbreviation is as good as a single slip.
            (if candidate.starts_with(wrong) { distance.min(1) } else { distance }, candidate)
        })
        .filter(|(distance, candidate)| *distance <= limit || candidate.starts_with(wrong))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("prodution", ["staging", "production"]), Some("production"));
        assert_eq!(nearest("prod", ["staging", "production"]), Some("production"));
        assert_eq!(nearest("a", ["b", "ab"]), None, "one letter says nothing");
        assert_eq!(nearest(&"w".repeat(5000), ["staging"]), None);
        assert_eq!(nearest("banana", ["staging", "production"]), None);
    }
}
