//! The configuration of the proxy: a TOML file, read once into validated types.
//!
//! Every mistake is told with its place, all of them at once where the file is TOML at all. Nothing is opened,
//! bound or resolved here. `docs/reference/proxy.md` describes each entry; a test holds it against these types.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::access_log::Format;

pub use limits::{Limits, Timeouts};
pub use pool::{Canary, Ejection, HealthCheck, PoolConfig, Queue, ServerConfig, Sticky};

mod limits;
mod mistakes;
mod pool;
mod quantity;

/// All that the proxy is told by its file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Threads that carry requests; as many as the machine has cores where it is absent.
    pub workers: Option<usize>,
    /// The control socket, which `andon` and the agent speak to.
    pub control: Option<PathBuf>,
    /// Whether the group of the control socket may use it, or its owner alone.
    #[serde(default)]
    pub control_for_group: bool,
    /// Where wishes are remembered over restarts; beside the control socket where it is absent.
    pub state: Option<PathBuf>,
    /// Where `/metrics` is served, over plain HTTP.
    pub metrics: Option<SocketAddr>,
    /// The file that gets one line for each request.
    pub access_log: Option<PathBuf>,
    /// How such a line is written: `combined` or `json`.
    #[serde(default)]
    pub access_log_format: Format,
    /// Where users come in.
    pub listen: Vec<Listen>,
    /// The servers that users are brought to, by the name of their pool.
    pub pools: BTreeMap<String, PoolConfig>,
    /// What a client may ask for at most.
    #[serde(default)]
    pub limits: Limits,
    /// How long anybody is waited for.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// What is told to servers about the client.
    #[serde(default)]
    pub forwarded: Forwarded,
}

/// An address that users connect to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port: `0.0.0.0:443`, `[::]:443`.
    pub address: SocketAddr,
    /// The pool that answers.
    pub pool: String,
    /// Present where TLS is spoken. HTTP/2 and HTTP/1.1 are then offered; without, HTTP/2 needs prior knowledge.
    pub tls: Option<Tls>,
}

/// A certificate and its key, both PEM files. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What servers are told about the client that stands behind the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarded {
    /// Networks of proxies before this one, as `10.0.0.0/8`. What they say in `X-Forwarded-*` and `Forwarded` is kept
    /// and added to; what anybody else says there is replaced.
    pub trusted: Vec<Network>,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: std::net::IpAddr,
    bits: u8,
}

/// Why a configuration cannot be used. The message names each mistake and its place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this form.
    #[error("the configuration cannot be read: {0}")]
    Form(String),
    /// Well formed, but it makes no sense.
    #[error("{}", mistakes::listed(.0))]
    Sense(Vec<String>),
}

impl Config {
    /// The largest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Form(error.to_string().trim_end().to_owned()))?;
        let mistakes = mistakes::of(&config);
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Sense(mistakes)) }
    }

    /// The file that wishes are remembered in; `None` without a control socket, over which they come.
    pub fn state_file(&self) -> Option<PathBuf> {
        let beside = |control: &PathBuf| {
            let mut name = control.clone().into_os_string();
            name.push(".wishes");
            PathBuf::from(name)
        };
        self.state.clone().or_else(|| self.control.as_ref().map(beside))
    }

    /// Threads that carry requests.
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }
}

impl Network {
    /// Whether an address lies in it.
    pub fn contains(&self, address: std::net::IpAddr) -> bool {
        use std::net::IpAddr;
        let address = address.to_canonical();
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits.min(32));
                net.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits.min(128));
                net.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected a network like \"10.0.0.0/8\" or an address, got {text:?}");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text.as_str(), None),
        };
        let address: std::net::IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

#[cfg(test)]
mod tests;
