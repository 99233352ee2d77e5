//! What is said on the control socket of the built-in proxy.
//!
//! The same frames as between controllers and agents. A connection begins with [`ToProxy::Hello`]; then the client
//! asks and the proxy answers, one by one and in order. A connection may stay open for more questions; the proxy ends
//! one that is silent for a minute or leaves a frame half sent. No input or output happens here.

use andon_core::balance::{BalancerFailure, PoolSight, Wishes};
use serde::{Deserialize, Serialize};

/// The protocol that this crate speaks. Raised when an old peer could misunderstand a new one.
pub const PROTOCOL: u32 = 1;

/// The longest body of a request, in bytes: wishes for about a thousand servers with the longest names.
pub const MAX_REQUEST: usize = 512 * 1024;

const _: () = assert!(MAX_REQUEST <= crate::frame::MAX_BODY);

/// The most listening sockets that are handed over: more file descriptors do not fit into one message of Linux.
pub const MAX_SOCKETS: usize = 253;

/// From a client to the proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToProxy {
    /// The first message, and the question whether the proxy is well. Answered by [`FromProxy::Welcome`].
    Hello {
        /// What the client speaks.
        protocol: u32,
        /// The client's version, for messages.
        version: String,
    },
    /// What is seen of this pool? Changes nothing. Answered by [`FromProxy::Sight`].
    Show {
        /// The pool.
        pool: String,
    },
    /// Let the servers of this pool get so much traffic. What is wished is remembered over restarts and reloads,
    /// until something else is wished. Answered by [`FromProxy::Sight`], after the change.
    Assert {
        /// The pool.
        pool: String,
        /// What is wished. Either all wishes are taken or, when one names an unknown server, none.
        wishes: Wishes,
    },
    /// Read the configuration again. Answered by [`FromProxy::Reloaded`].
    Reload,
    /// Give the listening sockets to this client, which is the next proxy. Answered by [`FromProxy::Sockets`].
    HandOver,
    /// The next proxy accepts connections now: leave. Answered by [`FromProxy::Leaving`]. Until then the proxy that
    /// hands over goes on as ever, so that a successor that fails costs nothing. Afterwards this connection alone is
    /// served further: through it the successor sees what is still under way.
    Taken,
}

/// From the proxy to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromProxy {
    /// The answer to [`ToProxy::Hello`].
    Welcome {
        /// What the proxy speaks.
        protocol: u32,
        /// The proxy's version, for messages.
        version: String,
        /// Its process.
        pid: u32,
        /// How long it has been serving, in milliseconds.
        serving_ms: u64,
        /// The names of its pools, in order.
        pools: Vec<String>,
    },
    /// The answer to [`ToProxy::Show`] and [`ToProxy::Assert`].
    Sight {
        /// What is seen, or why not.
        sight: Result<Box<PoolSight>, BalancerFailure>,
    },
    /// The answer to [`ToProxy::Reload`].
    Reloaded {
        /// Done, or why the configuration that was in force still is.
        outcome: Result<(), BalancerFailure>,
    },
    /// The answer to [`ToProxy::HandOver`].
    Sockets {
        /// One for each file descriptor that comes with the first byte of this frame, in the same order; or why there
        /// are none.
        sockets: Result<Vec<ListeningSocket>, BalancerFailure>,
    },
    /// The answer to [`ToProxy::Taken`]: nothing is accepted any more.
    Leaving {
        /// How long what is under way may still take, in milliseconds. Then it is cut.
        grace_ms: u64,
    },
    /// The request made no sense, or came before [`ToProxy::Hello`]. The connection ends.
    Confused {
        /// One sentence.
        why: String,
    },
}

/// A listening socket that goes from one proxy to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListeningSocket {
    /// The address as it stands in the configuration, for example `0.0.0.0:443`. The successor takes the sockets whose
    /// addresses are in its own configuration, and closes the others.
    pub address: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use andon_core::balance::{FailureKind, Traffic};
    use andon_core::name::ServerName;

    use super::*;
    use crate::frame::{HEADER, decode, encode};

    #[test]
    fn wishes_survive_the_journey() {
        let wishes = BTreeMap::from([
            (ServerName::new("web1").unwrap(), Traffic::Out),
            (ServerName::new("web2").unwrap(), Traffic::In(25)),
        ]);
        let message = ToProxy::Assert { pool: "www".into(), wishes };
        assert_eq!(decode::<ToProxy>(&encode(&message).unwrap()[HEADER..]).unwrap(), message);
    }

    #[test]
    fn a_failure_survives_the_journey() {
        let failure = BalancerFailure {
            kind: FailureKind::Missing,
            reason: "no such pool".into(),
            details: String::new(),
        };
        let message = FromProxy::Sight { sight: Err(failure) };
        assert_eq!(decode::<FromProxy>(&encode(&message).unwrap()[HEADER..]).unwrap(), message);
    }

    #[test]
    fn wishes_for_a_thousand_servers_with_long_names_fit_into_a_request() {
        let name = |number: u32| ServerName::new(format!("{number:x>253}")).unwrap();
        let wishes = (0..1000).map(|number| (name(number), Traffic::In(100))).collect();
        let frame = encode(&ToProxy::Assert { pool: "www".into(), wishes }).unwrap();
        assert!(frame.len() - HEADER <= MAX_REQUEST, "{}", frame.len());
    }
}
