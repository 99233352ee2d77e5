//! Charts of traffic.
