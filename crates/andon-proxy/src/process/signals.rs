//! What signals do to the proxy.

use std::io;
use std::process::Stdio;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Process, say, supervisor};

/// The exit code after a second request to end.
const INTERRUPTED: i32 = 130;

struct Signals {
    hangup: Signal,
    reopen: Signal,
    renew: Signal,
    terminate: Signal,
    interrupt: Signal,
}

/// Hears signals from now on, in a task of its own.
pub(super) fn watch(process: &Arc<Process>) -> io::Result<()> {
    let mut signals = Signals {
        hangup: signal(SignalKind::hangup())?,
        reopen: signal(SignalKind::user_defined1())?,
        renew: signal(SignalKind::user_defined2())?,
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    let process = Arc::clone(process);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = signals.hangup.recv() => reload(&process),
                _ = signals.reopen.recv() => {
                    if let Some(log) = &process.log {
                        log.reopen();
                    }
                }
                _ = signals.renew.recv() => renew(&process),
                _ = signals.terminate.recv() => end(&process),
                _ = signals.interrupt.recv() => end(&process),
            }
        }
    });
    Ok(())
}

fn reload(process: &Process) {
    if let Err(failure) = process.read_again() {
        say(&failure.reason);
    }
}

/// In peace; what is under way is waited for. The second time at once.
fn end(process: &Process) {
    if process.leaving.send_replace(true) {
        say("ends at once");
        std::process::exit(INTERRUPTED);
    }
    let grace = process.proxy.config().timeouts.shutdown;
    say(&format!("accepts no more connections, ends within {} s", grace.as_secs()));
    supervisor::stopping();
}

/// Starts the program anew, as it lies on the disk now. It takes over by itself.
fn renew(process: &Process) {
    if process.proxy.config().control.is_none() {
        return say("without `control` there is no way to hand over");
    }
    // What was replaced by an update is called so by the kernel.
    let program = std::env::current_exe().map(|path| {
        let text = path.to_string_lossy().into_owned();
        text.strip_suffix(" (deleted)").map_or(text.clone(), str::to_owned)
    });
    let started = program.and_then(|program| {
        std::process::Command::new(program).args(std::env::args_os().skip(1)).stdin(Stdio::null()).spawn()
    });
    match started {
        // It outlives this process and is not waited for.
        Ok(child) => say(&format!("process {} was started to take over", child.id())),
        Err(error) => say(&format!("the program cannot be started anew, this one goes on: {error}")),
    }
}
