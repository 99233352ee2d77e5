//! `andon server`: answers over HTTP until it is told to stop.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use andon_server::evaluations::Evaluations;
use andon_server::http::{self, Desk, Token};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Done, say};
use crate::args::Common;
use crate::context;
use crate::exit;
use crate::failure::Failure;

/// What `andon server` is told.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The address to answer on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
    listen: SocketAddr,
    /// A file with the token that clients have to show; needed beyond this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
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
    let dir = context::data(common)?.join("evaluations");
    let (evaluations, complaints) = Evaluations::open(dir).await.map_err(|error| {
        Failure::broken(error.to_string()).why("nothing is answered without what was judged before")
    })?;
    complaints.iter().for_each(|complaint| say(complaint));
    let desk = Desk { records: controller.records().clone(), evaluations };
    say(&format!("andon server answers on http://{address}"));
    notify("READY=1");
    http::serve(listener, desk, token, stop).await.map_err(cannot)?;
    Ok(exit::OK)
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
