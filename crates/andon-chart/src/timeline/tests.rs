//! Charts of timeline.
