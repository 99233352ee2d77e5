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
    /// A file with one token for programs that share it; it may do everything
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const REFERENCE: &str = include_str!("../../../../../docs/reference/server.md");

    /// The entries of a table of the configuration: what it expects in the place of one that there is not.
    fn entries(table: &str) -> Vec<String> {
        let head = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
        let error =
            toml::from_str::<ServerSettings>(&format!("{head}nonsense = 1\n")).unwrap_err().to_string();
        let (_, expected) = error.split_once("expected ").unwrap_or_else(|| panic!("{table}: {error}"));
        expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    }

    /// Every option of `andon server`, and whether every command has it.
    fn options() -> Vec<(String, bool)> {
        let mut command = crate::args::command();
        command.build();
        let server = command.find_subcommand("server").unwrap();
        let long = |argument: &clap::Arg| Some((argument.get_long()?.to_owned(), argument.is_global_set()));
        server.get_arguments().filter_map(long).filter(|(name, _)| name != "help").collect()
    }

    #[test]
    fn the_reference_describes_every_option_and_every_key_and_nothing_else() {
        let mut wanted: BTreeSet<String> = options()
            .into_iter()
            .filter(|(_, global)| !global)
            .map(|(name, _)| format!("--{name}"))
            .collect();
        assert!(wanted.contains("--listen") && wanted.contains("--statsd"), "{wanted:?}");
        let tables = ["tls", "session", "oidc"];
        let first = entries("").into_iter().filter(|entry| !tables.contains(&entry.as_str()));
        wanted.extend(first);
        for table in tables {
            wanted.extend(entries(table).into_iter().map(|entry| format!("{table}.{entry}")));
        }
        let cells =
            REFERENCE.lines().filter(|line| line.starts_with("| `")).filter_map(|l| l.split('|').nth(1));
        let described: BTreeSet<String> = cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .filter_map(|word| word.split(' ').next())
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(described, wanted);
    }

    #[test]
    fn every_option_that_the_reference_names_is_one() {
        let options: BTreeSet<String> = options().into_iter().map(|(name, _)| name).collect();
        let letter = |c: char| c.is_ascii_lowercase() || c == '-';
        let words = REFERENCE.split("--").skip(1).map(|rest| rest.split(|c| !letter(c)).next().unwrap_or(""));
        let named: Vec<&str> =
            words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
        assert!(named.contains(&"config") && named.contains(&"data"), "{named:?}");
        for word in named {
            assert!(options.contains(word), "there is no --{word}");
        }
    }
}
