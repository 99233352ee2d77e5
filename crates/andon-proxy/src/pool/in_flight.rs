//! A request on its way to a server, from the choice of the server until the last byte of the response.

use std::sync::Arc;

use super::Server;

/// Counts as under way at its server for as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight {
    server: Arc<Server>,
}

impl InFlight {
    /// Begins, unless the server has been taken out.
    ///
    /// Counted first, looked at second: whoever takes the server out and then reads the count cannot miss this request.
    pub(super) fn begin(server: &Arc<Server>) -> Option<Self> {
        server.enter();
        let begun = Self { server: Arc::clone(server) };
        server.admits().then_some(begun)
    }

    /// The server.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.server.leave();
    }
}
