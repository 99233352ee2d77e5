//! `andon server`: answers over HTTP until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon_server::access::ServerSettings;
use andon_server::census::Census;
use andon_server::chronicles::Chronicles;
use andon_server::clock;
use andon_server::evaluations::Evaluations;
use andon_server::http::{self, Desk, Keyring};
use andon_server::registers::Registers;
use andon_server::senses::{PushError, PushReceiver, pushed};
use andon_server::workshop::Workshop;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, say};
use crate::args::Common;
use crate::context;
use crate::exit;
use crate::failure::Failure;
use crate::logs::{self, LogForm};
use crate::screen::legible;
use notify::notify;

mod background;
mod charge;
mod doors;
mod files;
mod notify;

/// What is under way comes to rest within this time when the server ends. Hosts finish their steps by themselves.
const REST: Duration = Duration::from_secs(8);

/// How often it is said what was wrong with what programs pushed.
const ROUND: Duration = Duration::from_secs(10);

/// What `andon server` is told.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    doors: doors::DoorArgs,
    /// Receive StatsD here, over UDP and TCP
    #[arg(long, value_name = "ADDRESS")]
    statsd: Option<SocketAddr>,
    /// The form of the log on the standard error [default: text on a terminal, else json]
    #[arg(long, value_name = "FORM", value_enum)]
    log: Option<LogForm>,
}

pub(crate) async fn server(common: &Common, args: ServerArgs) -> Done {
    logs::begin(args.log);
    files::make_room();
    let settings = args.doors.settings()?;
    let listen = doors::address(&settings)?;
    let mut ends = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(terminate), Ok(interrupt)] = &mut ends else {
        return Err(Failure::broken("signals cannot be heard"));
    };
    let asked = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify("STOPPING=1");
    };
    let opening = Opening { listen, settings, receiver: None, statsd: args.statsd, loud: true };
    let house = House::open(common, opening).await?;
    let (scheme, address) = (house.scheme(), house.address);
    say(&format!("andon server answers on {scheme}://{address}"));
    if house.keyring.is_none() && !address.ip().is_loopback() {
        say(
            "what goes over the network is not encrypted: give it --tls-cert and --tls-key, or put a proxy in front",
        );
    }
    notify("READY=1");
    house.serve(asked).await;
    Ok(exit::OK)
}

/// How a server is opened.
pub(crate) struct Opening {
    /// Where it answers.
    pub(crate) listen: SocketAddr,
    /// By what right it is reached.
    pub(crate) settings: ServerSettings,
    /// Who receives numbers on this data already.
    pub(crate) receiver: Option<Arc<PushReceiver>>,
    /// Where StatsD is received.
    pub(crate) statsd: Option<SocketAddr>,
    /// Whether it says what it does, and takes charge of what was left.
    pub(crate) loud: bool,
}

/// A server that listens, and all that belongs to it.
pub(crate) struct House {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    desk: Desk,
    keyring: Option<Arc<Keyring>>,
    data: PathBuf,
    loud: bool,
}

impl House {
    /// Opens the ledger, and listens. Nothing is answered yet.
    pub(crate) async fn open(common: &Common, opening: Opening) -> Result<Self, Failure> {
        let Opening { listen, settings, receiver, statsd, loud } = opening;
        let keyring = doors::keyring(&settings)?;
        let workshop = Workshop::default();
        let controller = context::open_ledger_here(common).await?;
        let controller = controller.given_up_at(workshop.stopping()).stopped_at(workshop.stopping());
        let cannot = |error: std::io::Error| Failure::broken(format!("cannot listen on {listen}: {error}"));
        let data = context::data_of(common)?;
        // Before anything listens: a door that nobody guards is not opened.
        doors::doors(settings.clone(), listen, &controller, &data).await?;
        let listener = TcpListener::bind(listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let doors = Arc::new(doors::doors(settings, address, &controller, &data).await?);
        let receiver = match receiver {
            Some(receiver) => receiver,
            None => {
                let started = PushReceiver::start(&pushed::directory(&data), statsd, statsd).await;
                Arc::new(started.map_err(|error| not_alone(&error, &data))?)
            }
        };
        let opened = Evaluations::open(data.join("evaluations")).await;
        let (evaluations, complaints) = opened.map_err(|error| {
            Failure::broken(error.to_string()).why("nothing is answered without what was judged before")
        })?;
        if loud {
            complaints.iter().for_each(|complaint| say(complaint));
            if let (Some(udp), Some(tcp)) = (receiver.statsd_udp(), receiver.statsd_tcp()) {
                say(&format!("StatsD is received at {udp} over UDP and {tcp} over TCP"));
            }
        }
        let line = context::line_of_a_server(common);
        let chronicle = Chronicles::start(controller.records().clone()).await;
        let chronicle = chronicle.map_err(|error| Failure::broken(error.to_string()))?;
        // The page of somebody else's deployments asks no host behind their back.
        let census = if loud {
            Census::start(line.clone(), &controller, &chronicle, clock::now)
        } else {
            Census::none(clock::now)
        };
        let registers = Registers::default();
        let desk =
            Desk { controller, evaluations, receiver, line, workshop, registers, chronicle, census, doors };
        Ok(Self { address, listener, desk, keyring, data, loud })
    }

    /// What its address begins with.
    fn scheme(&self) -> &'static str {
        if self.keyring.is_some() { "https" } else { "http" }
    }

    /// Answers until `asked` to stop; then brings what is under way to a rest that the next server goes on from.
    pub(crate) async fn serve(self, asked: impl Future<Output = ()>) {
        let Self { listener, desk, keyring, data, loud, .. } = self;
        let (controller, workshop, line) =
            (desk.controller.clone(), desk.workshop.clone(), desk.line.clone());
        let background = background::begin(&controller, &workshop, &line, &data, loud).await;
        let mut tasks: Vec<_> =
            keyring.iter().map(|keyring| tokio::spawn(renew(Arc::clone(keyring)))).collect();
        if loud {
            tasks.push(tokio::spawn(complain(Arc::clone(&desk.receiver))));
            tasks.push(tokio::spawn(charge::take_charge(controller, workshop.clone(), line)));
        }
        let stop = async {
            asked.await;
            workshop.stop();
            if !workshop.is_empty_within(REST).await && loud {
                let left: Vec<String> = workshop.under_way().iter().map(ToString::to_string).collect();
                say(&format!("{} did not come to rest; the next server goes on with them", left.join(", ")));
            }
        };
        http::serve(listener, desk, keyring, stop).await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        drop(background);
    }
}

/// Another server works on the same data, most likely.
fn not_alone(error: &PushError, data: &Path) -> Failure {
    match error {
        PushError::Taken(_) => Failure::refused(format!("another andon server works on {}", data.display()))
            .why("two would drive the same deployments; nothing has been changed")
            .next("stop that one; or give this one data of its own: --data DIR"),
        other => Failure::broken(other.to_string()),
    }
}

/// Says what was wrong with what programs pushed.
async fn complain(receiver: Arc<PushReceiver>) {
    loop {
        tokio::time::sleep(ROUND).await;
        receiver.complaints().iter().for_each(|complaint| say(&legible(complaint)));
    }
}

/// Reads certificate and key again when they change: at once on SIGHUP, and within [`ROUND`] without.
async fn renew(keyring: Arc<Keyring>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
        match keyring.refresh() {
            Some(Ok(())) => say("the certificate was read again"),
            Some(Err(error)) => {
                say(&format!("the certificate of before stays in force: {}", legible(&error.to_string())));
            }
            None => {}
        }
    }
}
