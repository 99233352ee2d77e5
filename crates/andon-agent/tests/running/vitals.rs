//! What is seen of real processes that leak, burn, crash and complain.

use andon_agent::vitals::Looks;
use andon_core::host::Placement;
use andon_core::vitals::{Exit, HostVitals, InstanceChange, InstanceVitals, VitalsMeter};

use super::bench::{Bench, wait_for};

/// Looks at the only instance of a bench.
struct Watcher<'a> {
    placement: &'a Placement,
    looks: Looks,
    meter: VitalsMeter,
}

impl<'a> Watcher<'a> {
    fn of(bench: &'a Bench) -> Self {
        let mut watcher =
            Self { placement: &bench.placement, looks: Looks::default(), meter: VitalsMeter::default() };
        watcher.changed();
        watcher
    }

    fn host(&self) -> HostVitals {
        self.looks.look(self.placement).unwrap()
    }

    fn look(&self) -> InstanceVitals {
        self.host().instances.into_values().next().unwrap()
    }

    fn changed(&mut self) -> InstanceChange {
        let look = self.host();
        self.meter.read(&look).instances.into_values().next().unwrap()
    }
}

#[test]
fn a_service_at_rest_says_what_it_has() {
    let bench = Bench::new(1);
    bench.restart(&bench.release(1, "sleep 1000 & sleep 1000 & exec sleep 1000\n"));
    let watcher = Watcher::of(&bench);
    wait_for("three processes", || watcher.look().processes == 3);
    let host = watcher.host();
    let vitals = &host.instances[&bench.instance().name];
    assert!(vitals.running && vitals.main.is_some(), "{vitals:?}");
    assert_eq!((vitals.threads, vitals.memory_limit, vitals.last_exit), (3, None, None));
    assert!(vitals.rss.0 > 3 * 64 * 1024, "{}", vitals.rss);
    let files = vitals.files.unwrap();
    assert!(files.open >= 3 && files.limit.is_some_and(|limit| limit > files.open), "{files:?}");
    assert_eq!(vitals.restarts.map(|restarts| restarts.value), Some(0));
    assert_eq!(vitals.ends.map(|ends| ends.value), Some(0));
    assert_eq!(vitals.oom_kills, None, "not known, and not guessed");
    assert!(vitals.log.is_some());
    assert!(host.disk.is_some() && host.memory.is_some() && host.load.is_some() && host.oom_kills.is_some());
    bench.stop();
    let stopped = watcher.look();
    assert!(!stopped.running && stopped.main.is_none() && stopped.processes == 0, "{stopped:?}");
}

#[test]
fn what_never_was_started_is_not_running_and_nothing_is_invented() {
    let bench = Bench::new(0);
    let vitals = Looks::default().look(&bench.placement).unwrap().instances.into_values().next().unwrap();
    let nothing = InstanceVitals { log: vitals.log.clone(), ..InstanceVitals::default() };
    assert_eq!(vitals, nothing);
    assert!(!bench.root().join(".andon").exists(), "a look changes nothing");
}

#[test]
fn crashes_are_counted_with_their_exit_codes() {
    let bench = Bench::new(0);
    let script =
        format!("test -e {0}/die && rm {0}/die && exit 7\nexec sleep 1000\n", bench.root().display());
    bench.restart(&bench.release(1, &script));
    let mut watcher = Watcher::of(&bench);
    let first = watcher.look().main;
    std::fs::write(bench.file("die"), "").unwrap();
    bench.process("child").signal(rustix::process::Signal::KILL);
    let (mut ends, mut restarts, mut exits) = (0, 0, Vec::new());
    wait_for("two ends and two restarts", || {
        let change = watcher.changed();
        ends += change.ends;
        restarts += change.restarts;
        exits.extend(change.exit);
        ends == 2 && restarts == 2
    });
    // Between two looks only the last end is known by its kind.
    assert_eq!(exits.last(), Some(&Exit::Code(7)), "{exits:?}");
    let killed = watcher.look();
    assert_eq!(killed.last_exit, Some(Exit::Code(7)));
    assert!(first.is_some() && killed.main != first, "{killed:?}");
    bench.process("child").signal(rustix::process::Signal::SEGV);
    wait_for("the third end", || watcher.look().last_exit == Some(Exit::Signal(11)));
}

#[test]
fn processor_time_grows_also_when_workers_come_and_go() {
    let bench = Bench::new(0);
    // Each worker burns time and ends; the time of most is known only by their parent.
    let script = "while :; do sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'; done\n";
    bench.restart(&bench.release(1, script));
    let mut watcher = Watcher::of(&bench);
    let mut last = watcher.look().cpu_us.unwrap();
    let mut total = std::time::Duration::ZERO;
    wait_for("half a second of processor time", || {
        let now = watcher.look().cpu_us.unwrap();
        assert!(now.life == last.life && now.value >= last.value, "{last:?} {now:?}");
        last = now;
        total += watcher.changed().cpu.unwrap();
        total.as_millis() >= 500
    });
}

#[test]
fn leaks_of_memory_and_of_files_are_seen_before_they_hit_their_limits() {
    let bench = Bench::with_command(0, &["python3", "{release}/serve"]);
    let script = "\
import resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
kept = []
for turn in range(2000):
    kept.append(bytearray(256 * 1024)); kept.append(open('/dev/null'))
    time.sleep(0.02)
time.sleep(1000)
";
    bench.restart(&bench.release(1, script));
    let mut watcher = Watcher::of(&bench);
    let mut last = InstanceChange::default();
    wait_for("both trends", || {
        let change = watcher.changed();
        let growing = |trend: Option<andon_core::vitals::Trend>| {
            trend.is_some_and(|trend| trend.per_second > 1.0 && trend.full_in.is_some())
        };
        last = change;
        growing(last.memory) && growing(last.files_trend) && last.files.is_some_and(|files| files.open > 50)
    });
    assert_eq!(last.files.unwrap().limit, Some(4000));
}

#[test]
fn errors_and_new_exceptions_in_the_log_are_told_apart() {
    let bench = Bench::new(0);
    let script = format!(
        "echo 'ERROR from before anybody looked'\ntouch {0}/up\nwhile ! test -e {0}/go; do sleep 0.02; done\n\
         for order in 1 2 3; do echo \"2026-11-28 ERROR order $order failed\"; echo done; done\n\
         said=$(python3 {1} 2>&1); echo \"$said\"\nexec sleep 1000\n",
        bench.root().display(),
        bench.file("broken.py").display()
    );
    std::fs::write(bench.file("broken.py"), "def charge(order):\n    return order['card']\ncharge({})\n")
        .unwrap();
    bench.restart(&bench.release(1, &script));
    wait_for("the service", || {
        bench.file("up").exists()
            && std::fs::read_to_string(bench.kept("log")).is_ok_and(|text| text.contains("looked"))
    });
    let mut watcher = Watcher::of(&bench);
    std::fs::write(bench.file("go"), "").unwrap();
    let (mut errors, mut new) = (0, Vec::new());
    wait_for("all errors", || {
        let change = watcher.changed().errors.unwrap();
        errors += change.errors;
        new.extend(change.new.into_values().map(|seen| seen.sample));
        errors == 4
    });
    new.sort();
    assert_eq!(new, ["2026-11-28 ERROR order 1 failed", "KeyError: 'card'"]);
    assert_eq!(watcher.look().log.unwrap().gaps, 0);
}

#[test]
fn a_log_that_rotates_and_runs_over_is_said_to_have_gaps() {
    let bench = Bench::new(0);
    let script = format!(
        "touch {0}/up\nwhile ! test -e {0}/go; do sleep 0.02; done\n\
         yes 'INFO a line of a service that talks far too much' | head -n 500000\necho FATAL end\nexec sleep 1000\n",
        bench.root().display()
    );
    bench.restart(&bench.release(1, &script));
    wait_for("the service", || bench.file("up").exists());
    let watcher = Watcher::of(&bench);
    std::fs::write(bench.file("go"), "").unwrap();
    wait_for("the last line", || watcher.look().log.unwrap().errors == 1);
    let log = watcher.look().log.unwrap();
    assert!(log.gaps > 0 && log.lines > 0, "{log:?}");
}
