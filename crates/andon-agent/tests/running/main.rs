//! Real processes under our own supervisor: how they start, end, end again and again, and are verified.

mod bench;
mod ends;
mod looks;
mod plugins;
mod starts;
mod verdicts;
