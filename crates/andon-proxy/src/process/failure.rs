//! Why the proxy does not start.

use std::io;
use std::path::PathBuf;

use crate::access_log::FileLogError;
use crate::config::ConfigError;
use crate::control::ControlError;
use crate::hand_over::HandOverError;
use crate::proxy::ProxyError;
use crate::wishes::WishError;

/// Why the proxy does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The configuration file cannot be read.
    #[error("the configuration {file} cannot be read: {source}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration has mistakes.
    #[error("{file}: {error}")]
    Config {
        /// The file.
        file: PathBuf,
        /// All of them.
        error: ConfigError,
    },
    /// The data plane does not start.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// There is no control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Another proxy serves, and is not taken over from.
    #[error(transparent)]
    HandOver(#[from] HandOverError),
    /// The wishes cannot be kept.
    #[error(transparent)]
    Wishes(#[from] WishError),
    /// There is no access log.
    #[error(transparent)]
    AccessLog(#[from] FileLogError),
    /// The address for readers of numbers.
    #[error("cannot listen on the address `metrics`: {0}")]
    Metrics(io::Error),
    /// Signals cannot be heard.
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
    /// A mistake of ours.
    #[error("the proxy has broken down: {0}")]
    Crashed(String),
}
