//! Pages: what is known comes in as data, HTML goes out. Nothing here reads a clock, a file, a socket or the ledger, and
//! nothing decides: the same data gives the same page, byte for byte.
//!
//! One module for each page, with a struct of all that it shows. [`frame`] is what stands around every page, [`assets`]
//! are the styles and scripts that pages name.

pub mod access;
pub mod assets;
pub mod band;
pub mod charts;
pub mod deployment;
pub mod dna;
pub mod dora;
pub mod evidence;
pub mod feed;
pub mod frame;
pub mod host_run;
pub mod hosts;
pub mod ledger;
pub mod notifications;
pub mod now;
pub mod outcome;
pub mod per_day;
pub mod promote;
pub mod question;
pub mod release_diff;
pub mod releases;
pub mod service;
pub mod services;
pub mod settings;
pub mod sign_in;
pub mod timeline;
pub mod trouble;
pub mod view;
pub mod when;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod stories;
