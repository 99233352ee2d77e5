//! `andon run`: one command on many hosts at once, the output of like hosts folded.

use std::io::Write;
use std::time::Duration;

use andon_core::legible::neutral;
use andon_core::line::{Line, Transport};
use andon_core::name::{EnvironmentName, GroupName, HostName};
use andon_core::quantity::parse_duration;
use andon_server::push::fold::{Destination, fold, render};
use andon_server::push::report::Report;
use andon_server::push::{
    CommandLine, HostOutcome, PushEvent, PushOptions, PushTarget, Streams, host_list, push,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use super::{Done, say, say_json};
use crate::args::Common;
use crate::context::{LINE, find_line, load, ssh_options, unknown};
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

mod guarded;

/// What `andon run` is told.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Groups and hosts of the line, or names for ssh (`user@host` works), separated by commas
    #[arg(value_delimiter = ',', required = true)]
    targets: Vec<String>,
    /// At most so many hosts at a time [default: all]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// The longest time for a host, for example 30s [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Show output line by line as it comes, each line behind its host's name
    #[arg(long)]
    live: bool,
    /// The names of protected environments that these hosts belong to, where no terminal is there to ask at
    #[arg(long, value_name = "ENVIRONMENT", value_delimiter = ',')]
    confirm: Vec<EnvironmentName>,
    /// Run on more hosts than an environment allows, for this reason
    #[arg(long, value_name = "REASON")]
    allow_wide: Option<String>,
    /// The command. One word is a line for the host's shell; several are passed as they are
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(crate) async fn run(common: &Common, args: RunArgs) -> Done {
    let command = CommandLine::new(&args.command).map_err(|error| Failure::usage(error.to_string()))?;
    let line = match find_line(common) {
        Ok(path) => Some(load(&path)?.line),
        Err(failure) if common.line.is_some() => return Err(failure),
        Err(_) => None,
    };
    let targets = targets(line.as_ref(), &args.targets)?;
    if let Some(line) = &line {
        guarded::pass(common, line, &targets, &args.confirm, args.allow_wide.as_ref()).await?;
    }
    let mut options = PushOptions::new(ssh_options(common)?);
    options.batch = args.batch.map(|batch| batch as usize);
    options.timeout = args.timeout;
    options.streams = if common.json { Streams::Separate } else { Streams::Merged };
    // One host alone has nothing to be folded with.
    let live = !common.json && (args.live || targets.len() == 1);
    options.live = live;
    let names: Vec<HostName> = targets.iter().map(|target| target.host.clone()).collect();
    let (events, inbox) = mpsc::channel(256);
    let watching = tokio::spawn(watch(inbox, names.clone(), live, !common.json));
    let outcomes = tokio::select! {
        outcomes = push(targets, &command, options, events) => outcomes,
        // Dropping the push ends the commands on the hosts.
        _ = tokio::signal::ctrl_c() => {
            say("left; the commands on the hosts are being ended");
            return Ok(exit::LEFT);
        }
    };
    let outcomes = outcomes.map_err(|error| Failure::broken(error.to_string()))?;
    // The picture is gone before the result is printed; a watcher that stumbled drew nothing.
    let _ = watching.await;
    if common.json {
        say_json(&Report::new(&command, &outcomes));
    } else {
        print(&outcomes, live);
    }
    let well = outcomes.iter().all(|outcome| outcome.status.is_success());
    Ok(if well { exit::OK } else { exit::NOT_WELL })
}

/// The hosts that the words mean: of the line where there is one, else whatever ssh knows.
fn targets(line: Option<&Line>, words: &[String]) -> Result<Vec<PushTarget>, Failure> {
    let mut targets: Vec<PushTarget> = Vec::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let found = match line.and_then(|line| of_line(line, word)) {
            Some(found) => found,
            None => vec![stranger(line, word)?],
        };
        for target in found {
            if !targets.iter().any(|known| known.host == target.host) {
                targets.push(target);
            }
        }
    }
    if targets.is_empty() {
        return Err(Failure::usage("there is no host to run on").next("andon run web1,web2 -- uptime"));
    }
    Ok(targets)
}

fn of_line(line: &Line, word: &str) -> Option<Vec<PushTarget>> {
    let target = |name: &HostName| {
        let host = line.hosts.get(name)?;
        Some(PushTarget { host: name.clone(), transport: host.transport.clone() })
    };
    if let Some(hosts) = GroupName::new(word).ok().and_then(|name| line.groups.get(&name)) {
        return Some(hosts.iter().filter_map(target).collect());
    }
    Some(vec![target(&HostName::new(word).ok()?)?])
}

/// A host that the line does not know. Beside a line, a bare word is more likely a slip than a host.
fn stranger(line: Option<&Line>, word: &str) -> Result<PushTarget, Failure> {
    if let Some(line) = line.filter(|_| !word.contains(['.', '@'])) {
        let groups = line.groups.keys().map(GroupName::as_str);
        let known = groups.chain(line.hosts.keys().map(HostName::as_str));
        let failure = unknown("group or host", word, known);
        let outside = format!("for a host outside of {LINE} write its full name, or user@{word}");
        return Err(if failure.next.is_some() { failure } else { failure.next(outside) });
    }
    let (user, address) = match word.split_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, word),
    };
    let host = HostName::new(address)
        .map_err(|error| Failure::usage(format!("{address:?} is not a host: {error}")))?;
    let transport = Transport::Ssh { address: address.to_owned(), user, port: None, sudo: false };
    Ok(PushTarget { host, transport })
}

/// Shows what is under way: live output, or on a terminal one line that says who is waited for.
async fn watch(mut inbox: mpsc::Receiver<PushEvent>, mut waiting: Vec<HostName>, live: bool, people: bool) {
    let paint = Paint::stderr();
    let total = waiting.len();
    let bar = (people && paint.live && !live).then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    let width = waiting.iter().map(|host| host.as_str().len()).max().unwrap_or(0);
    let mut lines = LiveLines { width: (total > 1).then_some(width), parts: Default::default() };
    while let Some(event) = inbox.recv().await {
        match event {
            PushEvent::Finished { host, .. } => {
                lines.end(&host);
                waiting.retain(|name| *name != host);
                if let Some(bar) = &bar {
                    bar.set_message(format!(
                        "{} of {total} done, waiting for {}",
                        total - waiting.len(),
                        host_list(&waiting)
                    ));
                }
            }
            PushEvent::Output { host, bytes, .. } => lines.add(&host, &bytes),
            PushEvent::Started { .. } => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Output as it comes: whole lines, behind their host's name where there are several.
struct LiveLines {
    /// How wide the names are; `None` shows none.
    width: Option<usize>,
    parts: std::collections::BTreeMap<HostName, Vec<u8>>,
}

/// A line that is longer is shown in pieces.
const LONGEST_LINE: usize = 64 * 1024;

impl LiveLines {
    fn add(&mut self, host: &HostName, bytes: &[u8]) {
        let part = self.parts.entry(host.clone()).or_default();
        part.extend_from_slice(bytes);
        let whole = match part.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => part.drain(..=end).collect(),
            None if part.len() > LONGEST_LINE => std::mem::take(part),
            None => return,
        };
        self.show(host, &whole);
    }

    fn end(&mut self, host: &HostName) {
        if let Some(rest) = self.parts.remove(host).filter(|rest| !rest.is_empty()) {
            self.show(host, &rest);
        }
    }

    fn show(&self, host: &HostName, bytes: &[u8]) {
        let terminal = Paint::stdout().live;
        let mut out = std::io::stdout().lock();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if let Some(width) = self.width {
                let _ = write!(out, "{:<width$}  ", host.as_str());
            }
            let _ = if terminal { out.write_all(neutral(line).as_bytes()) } else { out.write_all(line) };
            let _ = out.write_all(b"\n");
        }
    }
}

/// The result. What was shown live is not shown again; how it ended is, where it did not end well.
fn print(outcomes: &[HostOutcome], live: bool) {
    let shown: Vec<HostOutcome> = if live {
        let quiet = |outcome: &HostOutcome| HostOutcome { output: Default::default(), ..outcome.clone() };
        outcomes.iter().filter(|outcome| !outcome.status.is_success()).map(quiet).collect()
    } else {
        outcomes.to_vec()
    };
    let destination = if Paint::stdout().live { Destination::Terminal } else { Destination::Raw };
    let _ = std::io::stdout().write_all(&render(&fold(&shown), destination));
}
