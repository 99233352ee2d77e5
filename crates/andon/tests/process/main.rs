//! The whole product as people meet it: the program, real `sshd`s, real agents, real services.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests: also the parts that several tests share")]

#[path = "../server/client.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod client;
mod machines;
mod project;
mod pushes;

mod archives;
mod backups;
mod bad_releases;
mod commit_check;
mod commit_check_server;
mod connections;
mod every_moment;
mod happy;
mod hostile_host;
mod hosts;
mod interruptions;
mod ledger;
mod line;
mod lines;
mod names;
mod pages;
mod private_files;
mod protected;
mod proxy;
mod registers;
mod secrets;
mod signals;
mod signing;
mod steps;
mod telling;
mod two_people;
mod versions;
mod words;
