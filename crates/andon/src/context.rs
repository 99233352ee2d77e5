//! What most commands need: the line, the ledger, and the ways to hosts.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_core::line::{Host, Service, Tell};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::release::Release;
use andon_core::scope::ScopeName;
use andon_core::suggest::nearest;
use andon_line::Loaded;
use andon_server::artifacts::ArtifactError;
use andon_server::hosts::{AgentHosts, Agents, LocalAgent};
use andon_server::lines::{LineKeeper, LineOnDisk, NoScope};
use andon_server::ssh::SshOptions;
use andon_server::{Controller, Records};
use andon_store::{SqliteLedger, StoreError};

use crate::args::{Common, ScopeArgs};
use crate::commands::say;
use crate::door::Door;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::remote::release::Made;
use crate::remote::{Remote, choice};

mod ownership;

/// The name of a line's file.
pub(crate) const LINE: &str = "line.star";
/// The name of a ledger's file in its directory.
pub(crate) const LEDGER: &str = "ledger.db";

/// Where the line lies, found the way `git` finds a repository.
pub(crate) fn find_line(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(line) = &common.line {
        return Ok(line.clone());
    }
    let here = std::env::current_dir().map_err(|error| Failure::broken(format!("where am I? {error}")))?;
    here.ancestors().map(|dir| dir.join(LINE)).find(|path| path.is_file()).ok_or_else(|| {
        Failure::usage(format!("there is no {LINE} here or in a directory above"))
            .why(format!("looked from {} upwards", here.display()))
            .next("andon init SERVICE writes one; or say where it is: --line FILE")
    })
}

/// Reads the line, or shows all of its mistakes.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    andon_line::load(path).map_err(|diagnostics| {
        let paint = Paint::stderr();
        let rendered = diagnostics.render(paint.live, width());
        let count = diagnostics.errors();
        Failure {
            what: format!(
                "{} has {count} mistake{}\n{rendered}",
                path.display(),
                if count == 1 { "" } else { "s" }
            ),
            why: None,
            next: Some("mend it, then: andon check".to_owned()),
            code: exit::USAGE,
        }
    })
}

/// The terminal's width, within reason.
pub(crate) fn width() -> usize {
    usize::from(console::Term::stdout().size().1).clamp(40, 120)
}

/// A line, read, and the controller that acts on it: this process with the line of this machine, or a server with its own.
pub(crate) struct Context {
    /// The line that counts.
    pub(crate) line: LineOnDisk,
    /// With a server, the line of this machine: where the next release is built.
    own: Option<LineOnDisk>,
    /// Who does all that.
    pub(crate) controller: Door,
}

impl Context {
    /// Reads the line and opens its ledger; or asks the server that is meant.
    pub(crate) async fn open(common: &Common) -> Result<Self, Failure> {
        let Some(chosen) = choice::chosen(common)? else { return Self::open_here(common).await };
        let remote = Remote::connect(chosen).await?;
        let line = remote.line().await?;
        // A line with mistakes is no line to build a release by; how things are done, the server's says.
        let own = find_line(common).ok().and_then(|path| LineOnDisk::read(&path).ok());
        Ok(Self { line, own, controller: Door::Server(remote) })
    }

    /// Reads the line of this machine and opens its ledger, whatever server is named.
    pub(crate) async fn open_here(common: &Common) -> Result<Self, Failure> {
        let path = find_line(common)?;
        let loaded = load(&path)?;
        let dir = directory(&path);
        let controller = controller(common, &data_dir(common, &dir)).await?;
        let line = LineOnDisk { loaded, dir };
        Ok(Self { line, own: None, controller: Door::Here(Box::new(controller)) })
    }

    /// The same; what it plans is given up when `signal` becomes true.
    pub(crate) fn given_up_at(self, signal: tokio::sync::watch::Receiver<bool>) -> Self {
        Self { controller: self.controller.given_up_at(signal), ..self }
    }

    /// A service, by name.
    pub(crate) fn service(&self, name: &ServiceName) -> Result<&Service, Failure> {
        let services = &self.line.line().services;
        services
            .get(name)
            .ok_or_else(|| unknown("service", name.as_str(), services.keys().map(ServiceName::as_str)))
    }

    /// The two words the other way round.
    fn swapped(&self, args: &ScopeArgs) -> Option<Failure> {
        let environment = args.environment.as_ref()?;
        let service = self.line.line().services.get(environment.as_str())?;
        let (service, environment) =
            (&service.name, service.environments.keys().find(|name| name.as_str() == args.service.as_str())?);
        let what =
            format!("there is no service \"{environment}\" in the line; it is an environment of {service}");
        Some(Failure::usage(what).next(format!("the service comes first: {service} {environment}")))
    }

    /// The scope that the words mean, its service and its hosts in the line's order.
    pub(crate) fn scope(&self, args: &ScopeArgs) -> Result<(ScopeName, &Service, Vec<&Host>), Failure> {
        let known = self.service(&args.service).map_err(|failure| self.swapped(args).unwrap_or(failure))?;
        let environments = || known.environments.keys().map(EnvironmentName::as_str);
        let scope =
            self.line.scope(&args.service, args.environment.as_ref()).map_err(|none| match &none {
                NoScope::Environment(_, name) => unknown("environment", name.as_str(), environments()),
                NoScope::Service(_) => Failure::usage(none.to_string()),
                NoScope::Several(..) => Failure::usage(none.to_string()).next("say which one"),
            })?;
        let (service, hosts) = self
            .line
            .parts(&scope)
            .ok_or_else(|| Failure::usage(format!("there is no {scope} in the line")))?;
        Ok((scope, service, hosts))
    }

    /// The release that is deployed next, made ready to be sent.
    pub(crate) async fn release(&self, common: &Common, scope: &ScopeName) -> Result<Release, Failure> {
        let remote = match &self.controller {
            Door::Here(controller) => {
                let service = self.service(&scope.service)?;
                return self.line.release(controller.artifacts(), service).await.map_err(not_ready);
            }
            Door::Server(remote) => remote,
        };
        let differs = self.own.as_ref().is_some_and(|own| own.loaded.digest != self.line.loaded.digest);
        if differs && !common.json {
            say(&format!(
                "this line.star is not the one of {}: how it is deployed, the one there says",
                remote.url()
            ));
        }
        match remote.release(self.own.as_ref(), scope).await? {
            Made::Here(release) => Ok(release),
            Made::There(release) => {
                if self.own.is_some() && !common.json {
                    say(&format!("no release of {} is built here: {} has one", scope.service, remote.url()));
                }
                Ok(release)
            }
        }
    }
}

/// A release that cannot be sent to hosts.
pub(crate) fn not_ready(error: ArtifactError) -> Failure {
    let what = error.to_string();
    match error {
        ArtifactError::NotKept { .. } => Failure::broken(what)
            .why("a copy of the release is kept here before the first host is touched; nothing has been changed")
            .next("free space there, or choose another place: --data DIR"),
        ArtifactError::Unsigned { path, .. } => Failure::refused(what)
            .why("the line says signed_by; what is not signed touches no host; nothing has been changed")
            .next(format!("minisign -S -m {}, with a key that the line names", path.display())),
        ArtifactError::Missing { .. } | ArtifactError::NotAnArchive(_) | ArtifactError::Refused { .. } => {
            Failure::refused(what)
                .why("a release is checked before the first host is touched; nothing has been changed")
                .next("build it again, then: andon plan")
        }
    }
}

/// Everybody whom any service of the line tells; nobody where there is no line that can be read.
pub(crate) fn everybody(common: &Common) -> Option<Tell> {
    load(&find_line(common).ok()?).ok()?.line.everybody()
}

/// The line of a server, which reads it again and again: at first, why there is none is said in one sentence.
pub(crate) fn line_of_a_server(common: &Common) -> LineKeeper {
    let common = common.clone();
    LineKeeper::open(Box::new(move || find_line(&common).map_err(|failure| failure.what)))
}

/// An unknown name, with the one that was probably meant.
pub(crate) fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let failure = Failure::usage(format!("there is no {kind} {name:?} in the line"));
    let all: Vec<&str> = known.clone().take(12).collect();
    let failure = if all.is_empty() { failure } else { failure.why(format!("known are {}", all.join(", "))) };
    match nearest(name, known) {
        Some(near) => failure.next(format!("did you mean {near}?")),
        None => failure,
    }
}

/// The ledger of a line, without the line; or the one of the server that is meant.
pub(crate) async fn open_ledger(common: &Common) -> Result<Door, Failure> {
    match choice::chosen(common)? {
        Some(chosen) => Ok(Door::Server(Remote::connect(chosen).await?)),
        None => Ok(Door::Here(Box::new(open_ledger_here(common).await?))),
    }
}

/// The ledger of a line on this machine, whatever server is named.
pub(crate) async fn open_ledger_here(common: &Common) -> Result<Controller, Failure> {
    controller(common, &data_of(common)?).await
}

/// Where the ledger and the releases are: as said, or beside the line.
pub(crate) fn data_of(common: &Common) -> Result<PathBuf, Failure> {
    match &common.data {
        Some(data) => Ok(data.clone()),
        None => Ok(data_dir(common, &directory(&find_line(common)?))),
    }
}

fn directory(line: &Path) -> PathBuf {
    match line.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn data_dir(common: &Common, line_dir: &Path) -> PathBuf {
    common.data.clone().unwrap_or_else(|| line_dir.join(".andon"))
}

/// How `ssh` shall behave.
pub(crate) fn ssh_options(common: &Common) -> Result<SshOptions, Failure> {
    let mut options = SshOptions::new(SshOptions::default_control_dir());
    options.config.clone_from(&common.ssh_config);
    if let Some(config) = common.ssh_config.as_ref().filter(|config| !config.is_file()) {
        return Err(Failure::usage(format!("{} is not a file", config.display())).next("check --ssh-config"));
    }
    Ok(options)
}

async fn controller(common: &Common, data: &Path) -> Result<Controller, Failure> {
    ownership::refuse_sudo(data)?;
    private_dir(data)?;
    let ledger = SqliteLedger::open(data.join(LEDGER))
        .await
        .map_err(|error| ownership::explain(ledger_failure(error), data))?;
    let records = Records::new(Arc::new(ledger));
    records.check_version().await?;
    let exe = std::env::current_exe().map_err(|error| Failure::broken(format!("who am I? {error}")))?;
    let beside = exe.parent().map(Path::to_owned).unwrap_or_default();
    let local = LocalAgent { program: exe, prefix: vec!["agent".into()] };
    let agents = Agents::find(&[beside, PathBuf::from("/usr/lib/andon")]);
    let ways = AgentHosts::new(data.to_owned(), local, ssh_options(common)?, agents);
    Ok(Controller::new(records, Arc::new(ways), data.to_owned(), me()))
}

/// What stands in the way of the ledger, and what to do about it.
pub(crate) fn ledger_failure(error: StoreError) -> Failure {
    let failure = Failure::broken(error.to_string())
        .why("without the ledger nothing is done; nothing has been changed");
    match error {
        StoreError::Damaged { .. } => {
            failure.next("where it is damaged: andon ledger verify; then: andon ledger restore BACKUP")
        }
        StoreError::NotALedger { .. } => failure.next("another place: --data DIR; if it was one: andon ledger restore BACKUP"),
        StoreError::Behind { place, .. } => failure.next(format!(
            "find out why ({place}-wal, an old copy?); then: andon ledger restore BACKUP; or, to go on with what is \
             there: andon ledger restore {place} --replace --why TEXT"
        )),
        _ => failure,
    }
}

/// Plans and outputs may hold what is not for everybody on this machine.
pub(crate) fn private_dir(dir: &Path) -> Result<(), Failure> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(Failure::broken(format!("{} cannot be made: {error}", dir.display()))
            .next("choose another place for the ledger: --data DIR")),
    }
}

/// Who sits here.
pub(crate) fn me() -> Person {
    let named = ["ANDON_USER", "SUDO_USER", "USER", "LOGNAME"];
    let name =
        named.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    let uname = rustix::system::uname();
    let clean = |text: String| text.chars().filter(|c| !c.is_control()).take(64).collect();
    Person {
        name: clean(name.or_else(login_name).unwrap_or_else(|| "somebody".to_owned())),
        at: clean(uname.nodename().to_string_lossy().into_owned()),
    }
}

/// The name that the system knows this user by.
fn login_name() -> Option<String> {
    user_name(rustix::process::getuid().as_raw())
}

/// The name that the system knows a user by.
fn user_name(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let mut rows = users.lines().map(|row| row.split(':').collect::<Vec<_>>());
    rows.find_map(|row| {
        (row.get(2) == Some(&uid.as_str())).then(|| row.first().map(|name| (*name).to_owned()))?
    })
}
