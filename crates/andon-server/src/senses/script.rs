//! A number that a command on this machine prints: for each host what it has counted so far, or a level.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use andon_core::legible;
use andon_core::name::{HostName, MemberName, MetricName};
use andon_core::quantity::format_duration;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::arms::Arms;
use super::exposition;
use super::growth::Value;
use super::prometheus::SenseError;
use super::sense::Heard;

/// How long what a command said before its end is read.
const REST: Duration = Duration::from_millis(100);
/// The most that a command may print, in bytes.
const MAX_OUTPUT: usize = 1 << 20;
/// How much of a command's last words goes into a sentence, in bytes.
const TAIL: usize = 300;

/// A command that prints numbers.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) metric: MetricName,
    pub(super) command: Vec<String>,
    pub(super) directory: PathBuf,
    pub(super) timeout: Duration,
}

/// A process and all that it started in its group, ended together unless it ended by itself.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Its id is free for others only after it was waited for, and then there is none here.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

impl Script {
    pub(super) async fn ask(&self, arms: &Arms) -> Result<Heard, SenseError> {
        match tokio::time::timeout(self.timeout, self.run(arms)).await {
            Ok(output) => self.read(&output?, arms),
            Err(_) => Err(SenseError::Unreachable(format!(
                "{} took longer than {} and was ended",
                self.spelled(),
                format_duration(self.timeout)
            ))),
        }
    }

    async fn run(&self, arms: &Arms) -> Result<Vec<u8>, SenseError> {
        let failed = |error: std::io::Error| {
            SenseError::Unreachable(format!("{} could not be run: {error}", self.spelled()))
        };
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| SenseError::Unusable("there is no command".to_owned()))?;
        let mut command = Command::new(program);
        match arms {
            Arms::Hosts { canary, control } => {
                command.env("ANDON_HOSTS_NEW", joined(canary)).env("ANDON_HOSTS_OLD", joined(control));
            }
            Arms::Labels { canary, control } => {
                command.env("ANDON_LABELS_NEW", canary.as_str()).env("ANDON_LABELS_OLD", control.as_str());
            }
        }
        let child = crate::secrets::withhold(&mut command)
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut group = Group(child);
        let (stdout, mut stderr) = (group.0.stdout.take(), group.0.stderr.take());
        let mut last_words = Vec::new();
        // Errors are read beside the output, whose end says that it is whole.
        let output = tokio::select! {
            output = whole(stdout) => output.map_err(failed)?,
            never = tail(stderr.as_mut(), &mut last_words) => match never {},
        };
        if output.len() > MAX_OUTPUT {
            let most = MAX_OUTPUT >> 20;
            return Err(SenseError::Unusable(format!("{} prints more than {most} MiB", self.spelled())));
        }
        let status = group.0.wait().await.map_err(failed)?;
        if status.success() {
            return Ok(output);
        }
        // All that it said lies ready by now; only what it has left behind could keep the end from coming.
        let _ = tokio::time::timeout(REST, tail(stderr.as_mut(), &mut last_words)).await;
        let said = legible::neutral(last_words.trim_ascii());
        let said = if said.is_empty() { said } else { format!(": {said}") };
        Err(SenseError::Refused(format!("{} ended with {status}{said}", self.spelled())))
    }

    fn spelled(&self) -> String {
        legible::neutral(self.command.join(" ").as_bytes())
    }

    fn read(&self, output: &[u8], arms: &Arms) -> Result<Heard, SenseError> {
        let unusable = |what: String| {
            SenseError::Unusable(format!("what {} prints cannot be read: {what}", self.spelled()))
        };
        let text = std::str::from_utf8(output).map_err(|_| unusable("it is not UTF-8".to_owned()))?;
        let rows = if text.contains('{') { self.samples(text) } else { plain(text) };
        let members = arms.members();
        let mut heard = Heard::default();
        for Row { who, value, of } in rows.map_err(unusable)? {
            let Some(member) = members.get(who.as_str()) else { continue };
            if let Some(value) = value {
                heard.values.push(named(member, value));
            }
            if let Some(of) = of {
                heard.of.get_or_insert_default().push(named(member, of));
            }
        }
        Ok(heard)
    }

    /// Samples of the metric, and those of `METRIC_of`, by their label `host`.
    fn samples(&self, text: &str) -> Result<Vec<Row>, String> {
        let lines = exposition::read(text).map_err(|error| error.to_string())?;
        let rows = lines.into_iter().filter_map(|line| {
            let who = line.labels.get("host")?.clone();
            let value = Some(line.value).filter(|value| value.is_finite());
            let name = line.name.strip_suffix("_total").unwrap_or(&line.name);
            if name == self.metric.as_str() {
                return Some(Row { who, value, of: None });
            }
            (name.strip_suffix("_of") == Some(self.metric.as_str())).then_some(Row {
                who,
                value: None,
                of: value,
            })
        });
        Ok(rows.collect())
    }
}

/// What is said of one host.
struct Row {
    who: String,
    value: Option<f64>,
    of: Option<f64>,
}

/// Lines of `HOST VALUE` or `HOST EVENTS OF`.
fn plain(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_ascii_whitespace();
        let Some(who) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let wrong = |what: &str| format!("line {}: {what}", index + 1);
        let mut number = || match words.next() {
            None => Ok(None),
            Some(word) => word.parse::<f64>().map(Some).map_err(|_| wrong("a number is expected")),
        };
        let (value, of) = (number()?, number()?);
        if value.is_none() || words.next().is_some() {
            return Err(wrong("expected `HOST EVENTS OF` or `HOST LEVEL`"));
        }
        let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
        rows.push(Row { who: who.to_owned(), value: finite(value), of: finite(of) });
    }
    Ok(rows)
}

fn named(member: &MemberName, value: f64) -> Value {
    Value { member: member.clone(), series: String::new(), value }
}

fn joined(hosts: &std::collections::BTreeSet<HostName>) -> String {
    hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(" ")
}

/// All that a command prints, up to a byte more than it may.
async fn whole(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut output = Vec::new();
    if let Some(from) = from {
        from.take(MAX_OUTPUT as u64 + 1).read_to_end(&mut output).await?;
    }
    Ok(output)
}

/// Keeps the end of what a command says beside its output, however much that is. Never ends by itself.
async fn tail(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> std::convert::Infallible {
    let mut piece = [0; 4096];
    if let Some(mut from) = from {
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            kept.extend_from_slice(&piece[..count]);
            kept.drain(..kept.len().saturating_sub(TAIL));
        }
    }
    std::future::pending().await
}
