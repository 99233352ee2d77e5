//! How the server is reached and by what right: the configuration file and the words of the command together, refused where
//! they would leave a door open.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_server::Controller;
use andon_server::access::{Access, Oidc, ServerSettings, TlsFiles};
use andon_server::http::{Doors, Keyring, Token};
use clap::Args;

use crate::failure::Failure;

/// Where the server answers when nobody says anything.
const DEFAULT: &str = "127.0.0.1:8420";
/// The largest configuration file, in bytes.
const MOST: u64 = 1 << 20;

/// What the command says of the doors. What stands here is stronger than what stands in the file.
#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    /// Read the server's configuration from here
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to answer on [default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// A file with the token that hooks and pushers show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate chain for TLS, in PEM form; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key that belongs to it
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where people reach this server, for example https://andon.example.com
    #[arg(long, value_name = "URL")]
    external_url: Option<String>,
}

impl DoorArgs {
    /// The file and the words together.
    pub(crate) fn settings(self) -> Result<ServerSettings, Failure> {
        let mut settings = match &self.config {
            Some(path) => read(path)?,
            None => ServerSettings::default(),
        };
        settings.listen = self.listen.or(settings.listen);
        settings.token_file = self.token_file.or(settings.token_file);
        settings.external_url = self.external_url.or(settings.external_url);
        if let (Some(certificate), Some(key)) = (self.tls_cert, self.tls_key) {
            settings.tls = Some(TlsFiles { certificate, key });
        }
        settings.check().map_err(|error| Failure::usage(error.to_string()).next("mend the configuration"))?;
        Ok(settings)
    }
}

fn read(path: &Path) -> Result<ServerSettings, Failure> {
    let name = path.display();
    let cannot = |error: std::io::Error| Failure::usage(format!("{name} cannot be read: {error}"));
    if std::fs::metadata(path).map_err(cannot)?.len() > MOST {
        return Err(Failure::usage(format!("{name} is longer than any configuration")));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!("{name} cannot be understood: {}", error.to_string().trim()))
            .next("compare it with docs/reference/server.md")
    })
}

/// The address that settings name.
pub(crate) fn address(settings: &ServerSettings) -> Result<SocketAddr, Failure> {
    match settings.listen {
        Some(address) => Ok(address),
        None => DEFAULT.parse().map_err(|_| Failure::broken("no address to listen on")),
    }
}

/// What the server proves itself with, where it does.
pub(crate) fn keyring(settings: &ServerSettings) -> Result<Option<Arc<Keyring>>, Failure> {
    let loaded = settings.tls.clone().map(Keyring::load).transpose();
    Ok(loaded.map_err(|error| Failure::usage(error.to_string()))?.map(Arc::new))
}

/// The doors of a server that listens at `listens`. Beyond this machine somebody has to be known.
pub(crate) async fn doors(
    settings: ServerSettings,
    listens: SocketAddr,
    controller: &Controller,
    data: &Path,
) -> Result<Doors, Failure> {
    let token = settings.token_file.as_deref().map(Token::from_file).transpose().map_err(|error| {
        Failure::usage(error.to_string())
            .next("umask 077; head -c 24 /dev/urandom | base64 > FILE; andon server --token-file FILE")
    })?;
    let access = Access::open(controller.records().clone(), data, settings.session)?;
    let oidc = match (&settings.oidc, &settings.external_url) {
        (Some(oidc), Some(url)) => {
            Some(Oidc::new(oidc.clone(), url).map_err(|error| Failure::usage(error.to_string()))?)
        }
        _ => None,
    };
    let nobody = token.is_none() && oidc.is_none() && access.directory().await?.is_empty();
    if nobody && !listens.ip().is_loopback() {
        return Err(Failure::usage(format!("{listens} can be reached from other machines"))
            .why("whoever reaches it could speak for the line: there is neither a user nor a token")
            .next("andon user add NAME --grant admin; or name a file with a token: --token-file FILE; or listen on 127.0.0.1"));
    }
    Ok(Doors::new(settings, listens, token, oidc, access)?)
}
