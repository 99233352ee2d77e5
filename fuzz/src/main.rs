//! One program with all fuzz targets: libFuzzer drives the one that ANDON_FUZZ_TARGET names.
//!
//! What must hold for an input stands in the module `fuzz` of each crate, beside the code that reads it.

#![no_main]

mod memory;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

#[global_allocator]
static WATCHED: memory::Watched = memory::Watched;

const MIB: usize = 1 << 20;

/// Something that reads what comes from outside.
struct Target {
    name: &'static str,
    /// The most memory that one input of at most 16 KiB may take, in bytes.
    memory: usize,
    run: Run,
}

enum Run {
    Plain(fn(&[u8])),
    /// It needs a directory.
    InRoom(fn(&[u8], &Path)),
}

const TARGETS: &[Target] = &[
    Target { name: "access-log", memory: MIB, run: Run::Plain(andon_agent::fuzz::access_log) },
    Target { name: "archive", memory: 4 * MIB, run: Run::InRoom(andon_archive::fuzz::archive) },
    Target { name: "evaluation", memory: 16 * MIB, run: Run::Plain(andon_server::fuzz::evaluation) },
    Target { name: "exposition", memory: 4 * MIB, run: Run::Plain(andon_server::fuzz::exposition) },
    Target { name: "flagger", memory: 2 * MIB, run: Run::Plain(andon_server::fuzz::flagger) },
    Target { name: "frame", memory: 4 * MIB, run: Run::Plain(andon_api::fuzz::frame) },
    Target { name: "haproxy", memory: 8 * MIB, run: Run::Plain(andon_agent::fuzz::haproxy) },
    Target { name: "history", memory: 160 * MIB, run: Run::Plain(andon_server::fuzz::history) },
    Target { name: "http1", memory: 2 * MIB, run: Run::Plain(andon_proxy::fuzz::http1) },
    Target { name: "journald", memory: 4 * MIB, run: Run::Plain(andon_agent::fuzz::journald) },
    Target { name: "kernel", memory: 2 * MIB, run: Run::Plain(andon_agent::fuzz::kernel) },
    Target { name: "line", memory: 96 * MIB, run: Run::InRoom(andon_line::fuzz::line) },
    Target { name: "nagios", memory: MIB, run: Run::Plain(andon_agent::fuzz::nagios) },
    Target { name: "nginx-dump", memory: 2 * MIB, run: Run::Plain(andon_agent::fuzz::nginx_dump) },
    Target { name: "nginx-include", memory: 2 * MIB, run: Run::Plain(andon_agent::fuzz::nginx_include) },
    Target { name: "prometheus", memory: 8 * MIB, run: Run::Plain(andon_server::fuzz::prometheus) },
    Target { name: "proxy-config", memory: 8 * MIB, run: Run::Plain(andon_proxy::fuzz::config) },
    Target { name: "pushed", memory: 2 * MIB, run: Run::Plain(andon_server::fuzz::pushed) },
    Target { name: "statsd", memory: MIB, run: Run::Plain(andon_server::fuzz::statsd) },
    Target { name: "step-record", memory: 4 * MIB, run: Run::Plain(andon_agent::fuzz::step_record) },
    Target { name: "systemd", memory: 2 * MIB, run: Run::Plain(andon_agent::fuzz::systemd) },
];

fuzz_target!(
    init: {
        target();
    },
    |data: &[u8]| {
        let target = target();
        memory::allow(target.memory);
        match target.run {
            Run::Plain(run) => run(data),
            Run::InRoom(run) => run(data, room()),
        }
    }
);

/// The target that was asked for. `list` prints the names of all.
fn target() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let wanted = std::env::var("ANDON_FUZZ_TARGET").unwrap_or_default();
        if wanted == "list" {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            std::process::exit(0);
        }
        TARGETS.iter().find(|target| target.name == wanted).unwrap_or_else(|| {
            eprintln!("ANDON_FUZZ_TARGET names no target; `cargo xtask fuzz --list` shows them");
            std::process::exit(2);
        })
    })
}

/// An empty directory in memory, where there is such a thing.
fn room() -> &'static Path {
    static ROOM: OnceLock<PathBuf> = OnceLock::new();
    ROOM.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let room = parent.join(format!("andon-fuzz-{}", std::process::id()));
        std::fs::create_dir(&room).unwrap_or_else(|error| panic!("{}: {error}", room.display()));
        room
    })
}
