//! What is seen of instances that end unexpectedly, and of what they write.

use std::fs;

use andon_core::host::InstanceState;
use rustix::process::Signal;

use super::bench::{Bench, wait_for};

#[test]
fn a_process_that_dies_is_started_again_and_counted() {
    let bench = Bench::new(0);
    bench.restart(&bench.release(1, "exec sleep 1000\n"));
    let first = bench.process("child");
    first.signal(Signal::KILL);
    wait_for("the second process", || {
        bench.facts().restarts == 1 && bench.facts().state == InstanceState::Running
    });
    assert_ne!(bench.process("child"), first);
}

#[test]
fn a_process_that_ends_again_and_again_is_a_crash_loop() {
    let bench = Bench::new(0);
    bench.restart(&bench.release(1, "echo broken; exit 3\n"));
    wait_for("the crash loop", || bench.facts().state == InstanceState::CrashLooping);
    assert!(bench.facts().restarts >= 2);
    bench.stop();
    assert_eq!(bench.facts().state, InstanceState::Stopped);
}

#[test]
fn the_output_on_disk_is_bounded() {
    let bench = Bench::new(0);
    let script = "dd if=/dev/zero bs=1048576 count=45 2>/dev/null\necho the end\nexec sleep 1000\n";
    bench.restart(&bench.release(1, script));
    wait_for("the last line", || {
        fs::read(bench.kept("log")).is_ok_and(|bytes| bytes.ends_with(b"the end\n"))
    });
    let sizes = ["log", "log.1", "log.2"].map(|name| fs::metadata(bench.kept(name)).unwrap().len());
    assert!(sizes.iter().all(|size| *size <= 10 << 20), "{sizes:?}");
    assert!(!bench.kept("log.3").exists());
}
