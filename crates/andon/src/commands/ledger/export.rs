//! `andon ledger export`: every record as a line of JSON.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use andon_core::deployment::DeploymentId;
use andon_core::name::ServiceName;
use andon_core::quantity::parse_duration;
use andon_core::time::Time;
use andon_server::{Records, clock};
use andon_store::{SqliteLedger, StoreError, StoredRecord};
use tempfile::NamedTempFile;

use super::super::Done;
use super::{ExportArgs, existing};
use crate::args::Common;
use crate::context::ledger_failure;
use crate::exit;
use crate::failure::Failure;
use crate::remote::{Remote, choice};
use crate::voice;

/// Records that are read at once.
const PAGE: usize = 1000;
/// Deployments that are looked at at once.
const ROWS: usize = 1000;

/// What is exported: the file of this machine, or the ledger of a server.
enum Source {
    File(Arc<SqliteLedger>),
    Server(Box<Remote>),
}

impl Source {
    fn place(&self) -> String {
        match self {
            Self::File(ledger) => ledger.place(),
            Self::Server(remote) => remote.url().to_owned(),
        }
    }

    fn records(&self) -> Records {
        match self {
            Self::File(ledger) => Records::new(Arc::<SqliteLedger>::clone(ledger)),
            Self::Server(remote) => remote.records().clone(),
        }
    }

    async fn stored(
        &self,
        stream: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let remote = match self {
            Self::File(ledger) => return ledger.stored(stream, after, limit).await,
            Self::Server(remote) => remote,
        };
        let ledger = remote.records().ledger();
        let records = match stream {
            Some(stream) => ledger.read(stream, after, limit).await?,
            None => ledger.tail(after, limit).await?,
        };
        records.into_iter().map(StoredRecord::try_from).collect()
    }
}

async fn source(common: &Common) -> Result<Source, Failure> {
    match choice::chosen(common)? {
        Some(chosen) => Ok(Source::Server(Box::new(Remote::connect(chosen).await?))),
        None => Ok(Source::File(Arc::new(existing(common).await?))),
    }
}

/// Which records are wanted.
#[derive(Debug, Default)]
struct Selection {
    since: Option<Time>,
    /// The only stream, when there is but one.
    stream: Option<String>,
    /// The streams of a service.
    streams: Option<Streams>,
}

/// The streams of a service: those of its scopes, which begin alike, and of its deployments.
#[derive(Debug)]
struct Streams {
    scopes: String,
    deployments: BTreeSet<DeploymentId>,
}

impl Streams {
    fn hold(&self, stream: &str) -> bool {
        let number = stream.strip_prefix("deployment/").and_then(|number| number.parse().ok());
        stream.starts_with(&self.scopes)
            || number.is_some_and(|number| self.deployments.contains(&DeploymentId(number)))
    }
}

impl Selection {
    fn wants(&self, record: &StoredRecord) -> bool {
        self.since.is_none_or(|since| record.at() >= since)
            && self.streams.as_ref().is_none_or(|streams| streams.hold(record.stream()))
    }
}

/// Why the export ended early.
enum Stop {
    /// Nobody reads any more.
    Unheard,
    Failed(Failure),
}

pub(super) async fn export(common: &Common, args: &ExportArgs) -> Done {
    let ledger = source(common).await?;
    let selection = selection(&ledger, args).await?;
    let place = ledger.place();
    let ended = match &args.output {
        Some(path) => into_file(&ledger, &place, &selection, path).await,
        None => {
            let shown = io::stdout().is_terminal();
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            write(&ledger, &place, &selection, &mut out, "standard output", shown).await
        }
    };
    match ended {
        Ok(()) | Err(Stop::Unheard) => Ok(exit::OK),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

async fn selection(ledger: &Source, args: &ExportArgs) -> Result<Selection, Failure> {
    let since = args.since.as_deref().map(since).transpose()?;
    let streams = match &args.service {
        Some(service) => Some(streams(ledger, service).await?),
        None => None,
    };
    let stream = args.deployment.map(DeploymentId::stream);
    Ok(Selection { since, stream, streams })
}

async fn streams(ledger: &Source, service: &ServiceName) -> Result<Streams, Failure> {
    let records = ledger.records();
    let (mut deployments, mut before) = (BTreeSet::new(), None);
    loop {
        let page = records.history(before, ROWS).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        deployments.extend(page.iter().filter(|row| row.scope.service == *service).map(|row| row.id));
    }
    let known = records.scopes().await?.into_iter().any(|(scope, _)| scope.service == *service);
    if deployments.is_empty() && !known {
        return Err(Failure::usage(format!("the ledger knows no service {service}")).next("andon status"));
    }
    Ok(Streams { scopes: format!("scope/{service}/"), deployments })
}

/// Writes what is wanted, page by page. What is `shown` to a person is escaped further, so that nothing acts on the
/// terminal; programs get the bytes that were hashed.
async fn write(
    ledger: &Source,
    place: &str,
    selection: &Selection,
    out: &mut impl Write,
    whereto: &str,
    shown: bool,
) -> Result<(), Stop> {
    let stopped = |error: io::Error| match error.kind() {
        ErrorKind::BrokenPipe => Stop::Unheard,
        _ => Stop::Failed(unwritten(whereto, &error)),
    };
    let failed = |error: StoreError| Stop::Failed(ledger_failure(error));
    let (stream, mut after) = (selection.stream.as_deref(), 0);
    let mut line = Vec::new();
    loop {
        let page = ledger.stored(stream, after, PAGE).await.map_err(failed)?;
        let Some(last) = page.last() else { break };
        after = if stream.is_some() { last.seq() } else { last.position() };
        for record in page.iter().filter(|record| selection.wants(record)) {
            line.clear();
            record.write_line(place, &mut line).map_err(failed)?;
            if shown {
                line = voice::escaped(String::from_utf8_lossy(&line).into_owned()).into_bytes();
            }
            line.push(b'\n');
            out.write_all(&line).map_err(stopped)?;
        }
    }
    out.flush().map_err(stopped)
}

/// Into a file that gets its name once it is whole and on the disk.
async fn into_file(ledger: &Source, place: &str, selection: &Selection, path: &Path) -> Result<(), Stop> {
    let whereto = path.display().to_string();
    let failed = |error: io::Error| Stop::Failed(unwritten(&whereto, &error));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = NamedTempFile::new_in(directory).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 16, unfinished);
    write(ledger, place, selection, &mut out, &whereto, false).await?;
    let unfinished = out.into_inner().map_err(|error| failed(error.into_error()))?;
    unfinished.as_file().sync_all().map_err(failed)?;
    unfinished.persist_noclobber(path).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn unwritten(whereto: &str, error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AlreadyExists => Failure::refused(format!("{whereto} exists already"))
            .why("an export replaces nothing; nothing has been changed")
            .next("name another file"),
        _ => Failure::broken(format!("{whereto} cannot be written: {error}"))
            .why("nothing was kept; the ledger is as it was")
            .next("mend that, or name another place"),
    }
}

/// A span before now, or a moment: as programs write it, or by the clock of this machine.
fn since(text: &str) -> Result<Time, Failure> {
    let now = clock::now();
    if let Ok(span) = parse_duration(text) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        return Ok(Time(now.0.saturating_sub(millis)));
    }
    let zone = jiff::tz::TimeZone::system();
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
    });
    moment.map(|moment| Time(moment.as_millisecond())).ok_or_else(|| {
        Failure::usage(format!("{text:?} is no time"))
            .next("for example --since 7d, --since 2026-11-28 or --since 2026-11-28T09:00")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_a_day_or_a_moment() {
        let day = 86_400_000;
        let week = since("7d").unwrap().0;
        assert!((clock::now().0 - 7 * day - week).abs() < day);
        assert_eq!(since("2026-11-28T09:00:00Z").unwrap(), Time(1_795_856_400_000));
        let midnight = since("2026-11-28").unwrap();
        assert_eq!(since("2026-11-28T01:00").unwrap().0 - midnight.0, 3_600_000);
        for wrong in ["", "yesterday", "28.11.2026", "7"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn streams_of_a_service_are_not_those_of_another_with_a_longer_name() {
        let streams = Streams { scopes: "scope/www/".into(), deployments: [DeploymentId(7)].into() };
        for (stream, held) in [
            ("scope/www/production", true),
            ("scope/www2/production", false),
            ("deployment/7", true),
            ("deployment/70", false),
            ("line", false),
        ] {
            assert_eq!(streams.hold(stream), held, "{stream}");
        }
    }
}
