//! `andon traffic`: how every instance stands in its balancers, and what goes through it.

use std::collections::BTreeMap;
use std::time::Duration;

use andon_core::balance::numbers::{Flow, Numbers, Spot, WINDOW};
use andon_core::balance::{HostSight, ServerState, Standing};
use andon_core::line::{Host, Service};
use andon_core::name::HostName;
use andon_core::plan::{PlannedPool, Sights};
use andon_core::quantity::parse_duration;
use andon_core::scope::ScopeName;
use andon_server::clock;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::{Done, say, say_json};
use crate::args::{Common, ScopeArgs};
use crate::context::{Context, width};
use crate::door::Door;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::standing::{self, Owner, owners};
use crate::voice::harmless;

mod as_json;
mod table;

/// While watching, rates are those of at least so long: a second alone is restless.
const CALM: Duration = Duration::from_secs(10);

/// What `andon traffic` is told.
#[derive(Debug, Args)]
pub(crate) struct TrafficArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Look again and again, until Ctrl-C; with --json one object a line
    #[arg(long)]
    watch: bool,
    /// The time between two looks, 200ms to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_millis(200)..=Duration::from_secs(3600);
    if allowed.contains(&span) { Ok(span) } else { Err("it is between 200ms and 1h".to_owned()) }
}

/// One instance, or several that are shown as one.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    spot: Option<Spot>,
    /// Whether it gets traffic from all of its balancers.
    in_traffic: bool,
    /// Whether it gets the traffic that it should.
    well: bool,
    /// One word for the state.
    state: &'static str,
    /// Why it is not simply in traffic.
    why: Option<String>,
    sight: HostSight,
    flow: Option<Flow>,
    /// How many instances these are.
    count: usize,
}

/// All that is known at one moment.
struct Moment {
    rows: Vec<Row>,
    /// The stretch of time that rates are of.
    over: Duration,
    /// Balancers that do not answer, and why.
    silent: Vec<(String, String)>,
}

pub(crate) async fn traffic(common: &Common, args: TrafficArgs) -> Done {
    let context = Context::open(common).await?;
    let (name, service, hosts) = context.scope(&args.scope)?;
    let pools = context.line.pools(&name);
    if pools.is_empty() {
        return Err(Failure::usage(format!("{name} has no balancer in the line"))
            .why("traffic is what balancers see")
            .next("name one: andon help service; what runs: andon status"));
    }
    let watched = Watched { controller: &context.controller, name, service, hosts, pools };
    watched.watch(&args, common.json).await
}

/// What is looked at.
struct Watched<'a> {
    controller: &'a Door,
    name: ScopeName,
    service: &'a Service,
    hosts: Vec<&'a Host>,
    pools: Vec<PlannedPool>,
}

impl Watched<'_> {
    async fn watch(&self, args: &TrafficArgs, json: bool) -> Done {
        let paint = Paint::stdout();
        let mut numbers = Numbers::default();
        let live = (args.watch && paint.live && !json).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            // Plain text always parses.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        // The first look only sets the marks that rates begin at.
        let mut due = Instant::now();
        numbers.read(clock::now(), &self.pools, &self.controller.look(&self.name, &self.pools).await?);
        loop {
            due = (due + args.interval).max(Instant::now());
            tokio::time::sleep_until(due).await;
            let sights = self.controller.look(&self.name, &self.pools).await?;
            numbers.read(clock::now(), &self.pools, &sights);
            let span = if args.watch { args.interval.max(CALM) } else { WINDOW };
            let moment = self.moment(&numbers, &sights, span).await?;
            if json {
                say_json(&as_json::moment(&self.name, &moment));
            } else {
                let (rows, columns) = console::Term::stdout().size();
                let height = if live.is_some() { usize::from(rows) } else { table::TALL };
                // What nobody looks at on a terminal is as wide as it needs to be.
                let wide = if paint.live { width().max(usize::from(columns).min(160)) } else { usize::MAX };
                let lines = table::lines(&self.name, &moment, paint, wide, height);
                match &live {
                    Some(bar) => bar.set_message(harmless(paint, &lines.join("\n")).into_owned()),
                    None => lines.iter().for_each(|line| say(line)),
                }
            }
            if !args.watch {
                let well = moment.silent.is_empty() && moment.rows.iter().all(|row| row.well);
                return Ok(if well { exit::OK } else { exit::NOT_WELL });
            }
        }
    }

    async fn moment(&self, numbers: &Numbers, sights: &Sights, span: Duration) -> Result<Moment, Failure> {
        let scope = self.controller.records().scope(&self.name).await?.value;
        let owners = owners(self.controller, &scope, self.service, &self.hosts).await?;
        let mut flows = numbers.flows(span);
        let each = HostSight::of_each(&self.pools, sights);
        let over = flows.values().map(|flow| flow.over).max().unwrap_or_default();
        let several = |host: &HostName| each.keys().filter(|spot| spot.host == *host).nth(1).is_some();
        let with_ports: BTreeMap<&HostName, bool> =
            self.hosts.iter().map(|host| (&host.name, several(&host.name))).collect();
        let mut rows: Vec<Row> = Vec::new();
        for (spot, sight) in &each {
            let name = match with_ports.get(&spot.host) {
                Some(true) => format!("{}:{}", spot.host, spot.port),
                _ => spot.host.to_string(),
            };
            rows.push(row(name, spot, sight.clone(), owners.get(&spot.host), flows.remove(spot)));
        }
        let place = |row: &Row| {
            let host = row.spot.as_ref().map(|spot| &spot.host);
            self.hosts.iter().position(|known| Some(&known.name) == host)
        };
        rows.sort_by_cached_key(place);
        let failures = sights.iter().filter_map(|(pool, sight)| Some((pool, sight.as_ref().err()?)));
        let silent = failures.map(|(pool, failure)| (pool.clone(), failure.to_string())).collect();
        Ok(Moment { rows, over, silent })
    }
}

fn row(name: String, spot: &Spot, sight: HostSight, owner: Option<&Owner>, flow: Option<Flow>) -> Row {
    let in_traffic = sight.standing() == Standing::In;
    let (_, words) = standing::words(&sight, owner);
    let states = || sight.pools.values().flatten().flatten().map(|server| &server.state);
    let state = match sight.standing() {
        Standing::In => "up",
        Standing::Partly if states().next().is_none() => "unknown",
        Standing::Partly => "partly",
        Standing::Out if states().any(|state| *state == ServerState::Out) => "out",
        Standing::Out => "down",
    };
    let kept_out = sight.kept_out_by();
    // One that comes back slowly is in, and yet there is something to say.
    let why = if in_traffic && owner.is_none() {
        kept_out
    } else {
        Some(words).filter(|_| !in_traffic || owner.is_some())
    };
    Row {
        name,
        spot: Some(spot.clone()),
        in_traffic,
        well: in_traffic || owner.is_some(),
        state,
        why,
        sight,
        flow,
        count: 1,
    }
}

impl Row {
    fn sessions(&self) -> Option<u64> {
        let sessions = self.servers().filter_map(|server| server.sessions);
        sessions.reduce(u64::saturating_add)
    }

    fn queued(&self) -> u64 {
        self.servers().map(|server| server.queued).sum()
    }

    fn share(&self) -> Option<u8> {
        self.servers().map(|server| server.weight).min()
    }

    fn servers(&self) -> impl Iterator<Item = &andon_core::balance::ServerSight> {
        self.sight.pools.values().flatten().flatten()
    }
}
