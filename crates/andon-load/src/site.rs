//! A small web application for the load: it keeps connections open, takes its time when asked to, and receives uploads.
//!
//! Bounded in everything, on loopback, and without any state. Every answer says in `Served-By` who gave it: the port
//! and the release.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use behaviour::Conduct;
use conversation::Conversation;

pub use behaviour::Behaviour;

mod behaviour;
mod conversation;
mod page;

/// Connections that are served at once; further ones wait.
const MAX_CONNECTIONS: usize = 1000;

/// How long the requests under way may take once the application is to end.
const GRACE: Duration = Duration::from_secs(30);

/// The application and how it ends.
#[derive(Debug, Clone)]
pub struct Site {
    /// The port of 127.0.0.1 to listen on.
    pub port: u16,
    /// The release that it belongs to, for `Served-By`.
    pub release: String,
    /// The directory of `index.html` and the other pages.
    pub pages: PathBuf,
    /// What `SIGTERM` does. Gracefully: nothing new is accepted, and what is under way ends well. Otherwise everything
    /// ends in the middle of a word, as many an application does.
    pub graceful: bool,
    /// What pages cost, and what goes wrong with them.
    pub behaviour: Behaviour,
}

impl Site {
    /// Serves until the process is asked to end.
    ///
    /// # Errors
    /// The system's, when the port is taken.
    pub async fn serve(self) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let conduct = Arc::new(Conduct::new(self.behaviour.clone()));
        let site = Arc::new(self);
        let (end, ending) = watch::channel(false);
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut asked = signal(SignalKind::terminate())?;
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = asked.recv() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (site, conduct, ending) = (Arc::clone(&site), Arc::clone(&conduct), ending.clone());
                    tokio::spawn(async move {
                        attend(stream, &site, &conduct, ending).await;
                        drop(permit);
                    });
                }
                // Out of descriptors, perhaps: spinning would not help.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
        drop(listener);
        if site.graceful {
            end.send_replace(true);
            let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
            // Whatever is still under way after the grace is cut.
            let _ = timeout(GRACE, room.acquire_many(all)).await;
        }
        Ok(())
    }
}

/// Serves one connection. A visitor who goes away or talks nonsense harms nobody.
async fn attend(stream: TcpStream, site: &Site, conduct: &Conduct, ending: watch::Receiver<bool>) {
    if let Ok(conversation) = Conversation::new(stream, site, conduct, ending) {
        let _ = conversation.hold().await;
    }
}
