//! `andon server`: answers over HTTP until it is told to stop.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon_server::evaluations::Evaluations;
use andon_server::history::Sampler;
use andon_server::http::{self, Desk, Token};
use andon_server::senses::{PushReceiver, pushed};
use andon_server::{Controller, clock};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Done, say};
use crate::args::Common;
use crate::context;
use crate::exit;
use crate::failure::Failure;
use crate::screen::legible;

/// How often it is said what was wrong with what programs pushed.
const ROUND: Duration = Duration::from_secs(10);

/// What `andon server` is told.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The address to answer on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
    listen: SocketAddr,
    /// A file with the token that clients have to show; needed beyond this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Receive StatsD here, over UDP and TCP
    #[arg(long, value_name = "ADDRESS")]
    statsd: Option<SocketAddr>,
}

pub(crate) async fn server(common: &Common, args: ServerArgs) -> Done {
    let token = match &args.token_file {
        Some(path) => Some(Token::from_file(path).map_err(|error| {
            Failure::usage(error.to_string())
                .next("umask 077; head -c 24 /dev/urandom | base64 > FILE; andon server --token-file FILE")
        })?),
        None if args.listen.ip().is_loopback() => None,
        None => {
            return Err(Failure::usage(format!("{} can be reached from other machines", args.listen))
                .why("whoever reaches it could speak for the line")
                .next("name a file with a token: --token-file FILE; or listen on 127.0.0.1"));
        }
    };
    let controller = context::open_ledger(common).await?;
    let cannot =
        |error: std::io::Error| Failure::broken(format!("cannot listen on {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let mut ends = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [Ok(terminate), Ok(interrupt)] = &mut ends else {
        return Err(Failure::broken("signals cannot be heard"));
    };
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify("STOPPING=1");
    };
    let data = context::data_of(common)?;
    let receiver = PushReceiver::start(&pushed::directory(&data), args.statsd, args.statsd).await;
    let receiver = receiver.map_err(|error| Failure::broken(error.to_string()))?;
    let (evaluations, complaints) = Evaluations::open(data.join("evaluations")).await.map_err(|error| {
        Failure::broken(error.to_string()).why("nothing is answered without what was judged before")
    })?;
    complaints.iter().for_each(|complaint| say(complaint));
    if let (Some(udp), Some(tcp)) = (receiver.statsd_udp(), receiver.statsd_tcp()) {
        say(&format!("StatsD is received at {udp} over UDP and {tcp} over TCP"));
    }
    let receiver = Arc::new(receiver);
    let desk = Desk { controller: controller.clone(), evaluations, receiver: Arc::clone(&receiver) };
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(ROUND).await;
            receiver.complaints().iter().for_each(|complaint| say(&legible(complaint)));
        }
    });
    let _background = background(common, &controller, &data).await;
    say(&format!("andon server answers on http://{address}"));
    notify("READY=1");
    http::serve(listener, desk, token, stop).await;
    Ok(exit::OK)
}

/// What goes on beside the answers, until it is dropped.
struct Background {
    _courier: oneshot::Sender<()>,
    sampler: Option<JoinHandle<()>>,
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(sampler) = &self.sampler {
            sampler.abort();
        }
    }
}

/// Delivers messages that wait, and keeps the history of what the balancers of a line count. Without a line that can be
/// read there is no history, and it is said.
async fn background(common: &Common, controller: &Controller, data: &Path) -> Background {
    if let Err(error) = controller.outbox().catch_up().await {
        say(&format!("what people should have been told cannot be found: {}", legible(&error.to_string())));
    }
    let (courier, stop) = oneshot::channel();
    tokio::spawn(controller.outbox().clone().courier(stop));
    let scopes = match context::sampled(common) {
        Ok(scopes) => scopes,
        Err(failure) => {
            let why = failure.what.lines().next().unwrap_or_default().to_owned();
            say(&format!("no history is kept: {}", legible(&why)));
            Vec::new()
        }
    };
    let sampler = (!scopes.is_empty()).then(|| {
        say(&format!(
            "the history of {} is kept",
            scopes.iter().map(|scope| scope.scope.to_string()).collect::<Vec<_>>().join(", ")
        ));
        let sampler = Sampler::new(data, scopes);
        let told = |sentence: &str| say(&legible(sentence));
        tokio::spawn(sampler.run(controller.clone(), clock::now, told))
    });
    Background { _courier: courier, sampler }
}

/// Tells systemd, when it is systemd that started this process: `sd_notify(3)`.
fn notify(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let bytes = name.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => std::os::unix::net::SocketAddr::from_abstract_name(name),
        None => std::os::unix::net::SocketAddr::from_pathname(&name),
    };
    // Nobody can be told that nobody can be told.
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}
