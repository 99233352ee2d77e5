//! The pages and answers about deployments and hosts as a whole, over HTTP, with a ledger, a driver and hosts in memory.

mod fleet;
mod pages;
mod scene;
mod watching;
