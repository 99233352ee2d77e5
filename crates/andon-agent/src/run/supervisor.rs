//! The process that stays beside one instance: starts it, keeps its output, starts it again when it ends, and ends
//! all of it when told to. Obeys `command.json` in its directory and the signals TERM and INT; speaks with nobody.

use std::io::{self, PipeWriter};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::child::{self, Ended};
use super::directory::{RunDirectory, Status};
use super::order::Order;
use super::process::{self, ProcessId};
use endings::{Endings, SETTLED};
use log::RotatingLog;

mod endings;
mod log;

/// The variable by which a supervisor's processes are found again should it die before them.
pub const SUPERVISOR_VARIABLE: &str = "ANDON_SUPERVISOR";

/// The value of [`SUPERVISOR_VARIABLE`]: no other supervisor ever has the same.
pub fn mark(boot_id: &str, supervisor: ProcessId) -> String {
    format!("{boot_id}.{}.{}", supervisor.pid, supervisor.started)
}

/// How long a supervisor waits for its predecessor, or for somebody who only looks, to let go of the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Supervises the instance whose orders are in `dir` until it is told to stop.
pub fn main(dir: &Path) -> ExitCode {
    // Fails only for the leader of a group, which is detached already.
    let _ = rustix::process::setsid();
    match supervise(&RunDirectory::at(dir)) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads what a supervisor prints; the reason is in `status.json` where one could be written.
        Err(_) => ExitCode::FAILURE,
    }
}

fn supervise(directory: &RunDirectory) -> io::Result<()> {
    let _lock = lock(directory)?;
    let order = directory.order().ok_or_else(|| io::Error::other("no order in command.json"))?;
    // Whatever loses its parent becomes ours, and so cannot get away.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let wakeups = listen()?;
    let (output, pump) = capture(directory)?;
    let result =
        Supervisor::new(directory, order, wakeups, output).and_then(|mut supervisor| supervisor.run());
    // All holders of the pipe are gone, so its reader ends.
    let _ = pump.join();
    result
}

fn lock(directory: &RunDirectory) -> io::Result<std::fs::File> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = directory.lock()? {
            return Ok(lock);
        }
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("another supervisor holds the lock"));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

enum Wakeup {
    Stop,
    ChildEnded,
}

fn listen() -> io::Result<Receiver<Wakeup>> {
    let (sender, receiver): (Sender<Wakeup>, _) = mpsc::channel();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGCHLD])?;
    thread::spawn(move || {
        for signal in &mut signals {
            let wakeup = if signal == SIGCHLD { Wakeup::ChildEnded } else { Wakeup::Stop };
            if sender.send(wakeup).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn capture(directory: &RunDirectory) -> io::Result<(PipeWriter, thread::JoinHandle<()>)> {
    let (mut reader, writer) = io::pipe()?;
    let mut log = RotatingLog::open(&directory.log(), log::MAX_SIZE)?;
    let pump = thread::spawn(move || {
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            match io::Read::read(&mut reader, &mut buffer) {
                Ok(0) => break,
                // A full disk must not block the instance: what does not fit is lost.
                Ok(read) => drop(io::Write::write_all(&mut log, &buffer[..read])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    });
    Ok((writer, pump))
}

/// The instance's process.
enum Phase {
    /// It lives; `settled` once it has done so for long.
    Running { id: ProcessId, since: Duration, settled: bool },
    /// It ended and is started again then.
    Waiting { until: Duration },
}

struct Supervisor<'a> {
    directory: &'a RunDirectory,
    order: Order,
    wakeups: Receiver<Wakeup>,
    output: PipeWriter,
    clock: Instant,
    endings: Endings,
    phase: Phase,
    status: Status,
}

impl<'a> Supervisor<'a> {
    /// Starts the process for the first time. When that fails the status says why, and nothing is left to do.
    fn new(
        directory: &'a RunDirectory,
        order: Order,
        wakeups: Receiver<Wakeup>,
        output: PipeWriter,
    ) -> io::Result<Self> {
        let own = ProcessId::of(rustix::process::getpid().as_raw_pid());
        let status = Status {
            boot_id: process::boot_id(),
            supervisor: own.ok_or_else(|| io::Error::other("/proc is not mounted"))?,
            child: None,
            release: order.release.clone(),
            restarts: 0,
            last_end: None,
            ends: Some(0),
            last_exit: None,
            crash_looping: false,
            failure: None,
        };
        let phase = Phase::Waiting { until: Duration::ZERO };
        let clock = Instant::now();
        let mut supervisor =
            Self { directory, order, wakeups, output, clock, endings: Endings::default(), phase, status };
        match supervisor.start() {
            Ok(id) => supervisor.running(id),
            Err(error) => {
                supervisor.status.failure = Some(error.to_string());
                supervisor.write_status();
                return Err(error);
            }
        }
        Ok(supervisor)
    }

    fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    fn write_status(&self) {
        // On a full disk the instance goes on; whoever looks sees the process in /proc all the same.
        let _ = self.directory.write_status(&self.status);
    }

    fn running(&mut self, id: ProcessId) {
        self.phase = Phase::Running { id, since: self.now(), settled: false };
        self.status.child = Some(id);
        self.write_status();
    }

    fn start(&self) -> io::Result<ProcessId> {
        let (program, arguments) =
            self.order.command.split_first().ok_or_else(|| io::Error::other("the command line is empty"))?;
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.order.environment)
            .env(SUPERVISOR_VARIABLE, mark(&self.status.boot_id, self.status.supervisor))
            .current_dir(&self.order.directory)
            .stdin(Stdio::null())
            .stdout(self.output.try_clone()?)
            .stderr(self.output.try_clone()?)
            .process_group(0)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{program} could not be started: {error}"))
            })?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        // A process that has ended already is not reaped yet: its end is seen as any other.
        Ok(ProcessId::of(pid).unwrap_or(ProcessId { started: 0, pid }))
    }

    fn run(&mut self) -> io::Result<()> {
        loop {
            match self.wait() {
                Ok(Wakeup::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Wakeup::ChildEnded) => self.reap(),
                Err(RecvTimeoutError::Timeout) => self.act_on_time(),
            }
        }
        self.stop();
        self.status.child = None;
        self.status.crash_looping = false;
        self.directory.write_status(&self.status)
    }

    fn wait(&self) -> Result<Wakeup, RecvTimeoutError> {
        let until = match self.phase {
            Phase::Running { settled: true, .. } => None,
            Phase::Running { since, .. } => Some(since + SETTLED),
            Phase::Waiting { until } => Some(until),
        };
        match until {
            Some(until) => self.wakeups.recv_timeout(until.saturating_sub(self.now())),
            None => self.wakeups.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn act_on_time(&mut self) {
        let now = self.now();
        match &mut self.phase {
            Phase::Running { since, settled, .. } if now.saturating_sub(*since) >= SETTLED => {
                *settled = true;
                self.endings.settled();
                self.status.crash_looping = false;
                self.write_status();
            }
            Phase::Waiting { until } if now >= *until => self.start_again(),
            Phase::Running { .. } | Phase::Waiting { .. } => {}
        }
    }

    fn start_again(&mut self) {
        self.status.restarts = self.status.restarts.saturating_add(1);
        match self.start() {
            Ok(id) => self.running(id),
            Err(error) => self.wait_after_end(self.now(), error.to_string()),
        }
    }

    fn wait_after_end(&mut self, started: Duration, how: String) {
        let now = self.now();
        let wait = self.endings.ended(started, now);
        self.phase = Phase::Waiting { until: now + wait };
        self.status.child = None;
        self.status.last_end = Some(how);
        self.status.crash_looping = self.endings.crash_looping();
        self.write_status();
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, wait_status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Phase::Running { id, since, .. } = self.phase
                && id.pid == pid.as_raw_pid()
            {
                self.ended(since, child::ended(ExitStatus::from_raw(wait_status.as_raw())));
            }
        }
    }

    /// The process has ended. One that left with success and something running behind has put itself into the
    /// background: that is followed from now on. After any other end the remains are cleared away.
    fn ended(&mut self, since: Duration, how: Ended) {
        if how == Ended::Code(0)
            && let Some(daemon) = process::children(self.status.supervisor.pid).into_iter().next()
        {
            self.phase = Phase::Running { id: daemon, since, settled: false };
            self.status.child = Some(daemon);
            self.write_status();
            return;
        }
        self.end_all(Duration::ZERO);
        self.status.ends = self.status.ends.map(|ends| ends.saturating_add(1));
        self.status.last_exit = how.exit();
        self.wait_after_end(since, describe(how));
    }

    fn stop(&self) {
        self.end_all(self.order.stop_timeout);
    }

    /// Asks everything that descends from us to end, and kills what has not done so after `grace`.
    fn end_all(&self, grace: Duration) {
        let deadline = self.now() + grace;
        let mut asked = std::collections::BTreeSet::new();
        // As all orphans come to us, having no children means that nothing is left.
        while !matches!(rustix::process::wait(WaitOptions::NOHANG), Err(rustix::io::Errno::CHILD)) {
            for process in process::descendants(self.status.supervisor.pid) {
                if self.now() >= deadline {
                    process.signal(Signal::KILL);
                } else if asked.insert(process) {
                    process.signal(Signal::TERM);
                    process.signal(Signal::CONT);
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The end of a sentence that says how a process ended.
pub(crate) fn describe(how: Ended) -> String {
    match how {
        Ended::Code(code) => format!("ended with exit code {code}"),
        Ended::Signal(signal) => format!("was ended by signal {signal}"),
        Ended::TimedOut => "took too long".to_owned(),
    }
}
