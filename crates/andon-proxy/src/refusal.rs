//! What the proxy answers itself, instead of a server.

use std::fmt::Write;

/// An answer of the proxy's own: a status, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: u16,
    /// One clause, for the client and the log. Says nothing about what is behind the proxy.
    pub(crate) why: &'static str,
}

impl Refusal {
    /// The request could be read in two ways, or in none.
    pub(crate) const fn bad(why: &'static str) -> Self {
        Self { status: 400, why }
    }

    /// An answer with this status.
    pub(crate) const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why }
    }

    /// The words of the status line.
    pub(crate) fn reason(self) -> &'static str {
        http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("")
    }

    /// What stands in the body.
    pub(crate) fn body(self) -> String {
        let mut body = format!("{} {}", self.status, self.reason());
        // Writing to a string cannot fail.
        let _ = writeln!(body, ": {}", self.why);
        body
    }

    /// Headers besides those that each answer has, as name and value.
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self.status {
            503 => &[("Retry-After", "1")],
            405 => &[("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")],
            _ => &[],
        }
    }
}
