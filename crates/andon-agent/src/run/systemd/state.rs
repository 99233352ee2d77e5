//! What `systemctl show` says of a unit. Pure.

use std::collections::BTreeMap;

use andon_core::host::InstanceState;

/// The properties that are asked for.
pub(crate) const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,UnitFileState,ExecMainStatus,\
    ExecMainStartTimestampMonotonic,ControlGroup,MemoryMax,InvocationID";

/// So many restarts make a crash loop, while the last of them is recent.
const CRASH_LOOP: u32 = 3;

/// A process that has lived for so long, in microseconds, ends a crash loop.
const SETTLED: u64 = 60_000_000;

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct UnitState {
    /// Whether systemd knows the unit.
    pub(crate) loaded: bool,
    /// For example `active` or `failed`.
    pub(crate) active: String,
    /// For example `running` or `auto-restart`.
    pub(crate) sub: String,
    /// Why it failed, for example `exit-code`.
    pub(crate) result: String,
    /// Its main process, while there is one.
    pub(crate) main_pid: Option<i32>,
    /// Times that systemd has started it again by itself since somebody started it.
    pub(crate) restarts: u32,
    /// Whether it starts with the machine.
    pub(crate) enabled: bool,
    /// The exit code or the signal of its last main process.
    pub(crate) status: i32,
    /// When its main process started, in microseconds since boot.
    pub(crate) started: u64,
    /// Its cgroup below their root, while it has one.
    pub(crate) cgroup: Option<String>,
    /// The most memory that it may have, in bytes.
    pub(crate) memory_max: Option<u64>,
    /// Changes with every start.
    pub(crate) invocation: String,
}

impl UnitState {
    /// Reads the answer for one unit: lines of `Name=value`.
    pub(crate) fn parse(block: &str) -> Self {
        let values: BTreeMap<&str, &str> = block.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |name: &str| (*values.get(name).unwrap_or(&"")).to_owned();
        Self {
            loaded: text("LoadState") == "loaded",
            active: text("ActiveState"),
            sub: text("SubState"),
            result: text("Result"),
            main_pid: text("MainPID").parse().ok().filter(|pid| *pid > 0),
            restarts: text("NRestarts").parse().unwrap_or(0),
            enabled: text("UnitFileState") == "enabled",
            status: text("ExecMainStatus").parse().unwrap_or(0),
            started: text("ExecMainStartTimestampMonotonic").parse().unwrap_or(0),
            cgroup: Some(text("ControlGroup")).filter(|path| !path.is_empty()),
            // Without a limit it is `infinity`, or the largest number.
            memory_max: text("MemoryMax").parse().ok().filter(|most| *most < u64::MAX),
            invocation: text("InvocationID"),
        }
    }

    /// Whether its program was started, ended at once, and will be started again. Exit codes from 200 on are
    /// systemd's own: the program, its user or its directory could not be had.
    pub(crate) fn comes_back(&self) -> bool {
        self.active == "active" || (self.sub == "auto-restart" && self.status < 200)
    }

    /// What it means for the instance; `now` is in microseconds since boot.
    pub(crate) fn instance_state(&self, now: u64) -> InstanceState {
        let young = self.main_pid.is_none() || now.saturating_sub(self.started) < SETTLED;
        let given_up = self.active == "failed" && self.result == "start-limit-hit";
        if given_up || (self.restarts >= CRASH_LOOP && young && self.active != "inactive") {
            InstanceState::CrashLooping
        } else if matches!(self.active.as_str(), "active" | "reloading") {
            // Units without a process of their own, as one-shots, are active too.
            InstanceState::Running
        } else {
            InstanceState::Stopped
        }
    }
}

/// Reads the answer for several units: blocks with an empty line between, each with its name.
pub(crate) fn parse_all(text: &str) -> BTreeMap<String, UnitState> {
    text.split("\n\n")
        .filter_map(|block| {
            let id = block.lines().find_map(|line| line.strip_prefix("Id="))?;
            Some((id.to_owned(), UnitState::parse(block)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "MainPID=4711\nNRestarts=0\nExecMainStartTimestampMonotonic=5000000\nResult=success\n\
        Id=www@8080.service\nLoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\n\
        MainPID=0\nNRestarts=7\nExecMainStartTimestampMonotonic=9000000\nResult=exit-code\nId=www@8081.service\n\
        LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=disabled\n";

    #[test]
    fn a_running_and_a_crash_looping_unit_are_told_apart() {
        let all = parse_all(TWO);
        assert_eq!(all.len(), 2);
        let good = &all["www@8080.service"];
        assert_eq!((good.main_pid, good.enabled, good.loaded), (Some(4711), true, true));
        assert_eq!(good.instance_state(6_000_000), InstanceState::Running);
        let bad = &all["www@8081.service"];
        assert_eq!((bad.main_pid, bad.restarts, bad.enabled), (None, 7, false));
        assert_eq!(bad.instance_state(10_000_000), InstanceState::CrashLooping);
    }

    #[test]
    fn a_unit_that_has_lived_for_a_minute_is_no_longer_looping() {
        let mut unit = parse_all(TWO)["www@8080.service"].clone();
        unit.restarts = 9;
        assert_eq!(unit.instance_state(6_000_000), InstanceState::CrashLooping);
        assert_eq!(unit.instance_state(66_000_000), InstanceState::Running);
    }

    #[test]
    fn a_program_that_ends_at_once_comes_back_and_one_that_is_missing_does_not() {
        let ended = UnitState::parse("ActiveState=activating\nSubState=auto-restart\nExecMainStatus=3\n");
        assert!(ended.comes_back());
        let missing = UnitState::parse("ActiveState=activating\nSubState=auto-restart\nExecMainStatus=203\n");
        assert!(!missing.comes_back());
        assert!(!UnitState::parse("ActiveState=failed\nSubState=failed\nExecMainStatus=1\n").comes_back());
    }

    #[test]
    fn a_unit_that_systemd_gave_up_is_crash_looping_and_an_unknown_one_is_stopped() {
        let given_up = UnitState::parse("ActiveState=failed\nResult=start-limit-hit\n");
        assert_eq!(given_up.instance_state(0), InstanceState::CrashLooping);
        let unknown = UnitState::parse("LoadState=not-found\nActiveState=inactive\nnonsense\n=\n");
        assert!(!unknown.loaded);
        assert_eq!(unknown.instance_state(0), InstanceState::Stopped);
        assert!(parse_all("").is_empty());
    }
}
