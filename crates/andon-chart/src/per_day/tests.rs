//! Charts of per_day.
