//! The page of the demo: the real server, over the demo's own ledger. It drives nothing here: the demo does.

use std::process::{Command, Stdio};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::fleet::Fleet;
use crate::failure::Failure;

/// A server that answers until it is closed.
pub(super) struct Page {
    /// Where, as a browser takes it.
    pub(super) address: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Page {
    /// Opens it on a free port of this machine.
    pub(super) async fn open(fleet: &Fleet) -> Result<Self, Failure> {
        let house = fleet.open_page().await?;
        let address = format!("http://{}/", house.address);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(house.serve(async move {
            // Dropped is stopped, too.
            let _ = stopped.await;
        }));
        Ok(Self { address, stop, serving })
    }

    /// Shows it in a browser, where there are one and a screen.
    pub(super) fn show(&self) {
        let screen = ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        if !screen {
            return;
        }
        let mut open = Command::new("xdg-open");
        open.arg(&self.address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // The address stands on the terminal for whoever has no such program.
        if let Ok(mut child) = open.spawn() {
            std::thread::spawn(move || child.wait());
        }
    }

    /// Ends it: who looks at it is told.
    pub(super) async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.serving.await;
    }
}
