//! Charts of ratio.
