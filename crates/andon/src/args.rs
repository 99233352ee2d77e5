//! The words that people type.

use std::path::PathBuf;
use std::process::ExitCode;

use andon_core::deployment::DeploymentId;
use andon_core::name::{EnvironmentName, HostName, ServiceName};
use andon_core::release::ReleaseId;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::commands;
use crate::failure::Failure;
use crate::paint::Paint;
use crate::voice;

/// Continuous deployment for teams that run software on their own Linux servers.
///
/// A line.star describes where a service runs and how a release spreads. `andon deploy` takes a release to every
/// host, a few at a time, tests each, and puts everything back when it fails.
#[derive(Debug, Parser)]
#[command(name = "andon", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(
    after_help = "Examples:\n  andon init www && andon check\n  andon plan www production\n  andon deploy www production\n  andon run web -- uptime\n\nExit codes: 0 well; 1 ran and did not end well; 2 wrong words or line.star; 3 refused, nothing changed;\n4 something Andon needs failed; 130 left by Ctrl-C."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Common {
    /// The line [default: line.star here or in a directory above]
    #[arg(long, global = true, value_name = "FILE", env = "ANDON_LINE")]
    pub(crate) line: Option<PathBuf>,
    /// Where the ledger and the releases are kept [default: .andon beside the line]
    #[arg(long, global = true, value_name = "DIR", env = "ANDON_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Read this instead of ~/.ssh/config, as ssh -F does
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Speak with the controller at this server [default: the one that the line names]; its token: andon login
    #[arg(id = "spoken_to", long = "server", global = true, value_name = "URL", env = "ANDON_SERVER")]
    pub(crate) server: Option<String>,
    /// Work in this process, on the ledger of this machine, although a server is named
    #[arg(long, global = true)]
    pub(crate) local: bool,
    /// Write JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A service in an environment.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScopeArgs {
    /// The service
    pub(crate) service: ServiceName,
    /// The environment [default: the only one]
    pub(crate) environment: Option<EnvironmentName>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented line.star that works
    #[command(after_help = "Example:\n  andon init www && $EDITOR line.star && andon check")]
    Init {
        /// The first service
        #[arg(default_value = "www")]
        service: ServiceName,
    },
    /// Read line.star and show every mistake at once
    #[command(after_help = "Example:\n  andon check --json | jq .errors")]
    Check,
    /// Show everything that a deployment would do, in numbers; changes nothing
    #[command(after_help = "Example:\n  andon plan www production")]
    Plan {
        #[command(flatten)]
        scope: ScopeArgs,
        #[command(flatten)]
        exceptions: Exceptions,
    },
    /// Take the line's release to every host, a few at a time
    ///
    /// No option changes what the line says. Ctrl-C asks for an orderly abort; a second one leaves at once, and
    /// `andon resume` goes on.
    #[command(
        after_help = "Examples:\n  andon deploy www production\n  andon deploy www production --fixes 128 --why \"retry was missing\""
    )]
    Deploy {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// The environment's name once more, where it is protected and no terminal is there to ask at
        #[arg(long, value_name = "ENVIRONMENT")]
        confirm: Option<EnvironmentName>,
        #[command(flatten)]
        exceptions: Exceptions,
    },
    /// Give an environment exactly what the environment before it runs, bit for bit
    ///
    /// Which one comes before stands in the line: environment("production", after = "staging"). Without that word it is
    /// `staging`. What has not got through there goes nowhere.
    #[command(
        after_help = "Examples:\n  andon promote www\n  andon promote www production --why \"the sale begins\""
    )]
    Promote {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// The environment's name once more, where it is protected and no terminal is there to ask at
        #[arg(long, value_name = "ENVIRONMENT")]
        confirm: Option<EnvironmentName>,
    },
    /// Put an earlier good release back on every host, as fast as the floor allows
    #[command(
        after_help = "Examples:\n  andon rollback www production --why \"orders stopped\"\n  andon rollback www production --to r-51bc07e2a944"
    )]
    Rollback {
        #[command(flatten)]
        scope: ScopeArgs,
        /// A good release [default: the newest good one that does not run now]
        #[arg(long, value_name = "RELEASE")]
        to: Option<ReleaseId>,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
        /// The environment's name once more, where it is protected and no terminal is there to ask at
        #[arg(long, value_name = "ENVIRONMENT")]
        confirm: Option<EnvironmentName>,
        /// Take hosts over that belong to another ledger
        #[arg(long)]
        take_over: bool,
    },
    /// What runs where: the ledger's view, or, for one service, what its hosts say
    #[command(after_help = "Examples:\n  andon status\n  andon status www production")]
    Status {
        /// Ask the hosts of this service
        service: Option<ServiceName>,
        /// The environment [default: all]
        environment: Option<EnvironmentName>,
    },
    /// How every instance stands in its balancers, and what goes through it; changes nothing
    ///
    /// Asks all balancers twice, one interval apart, and shows the rates between; with --watch again and again. Ends
    /// with 1 when an instance that should serve gets no traffic.
    #[command(
        after_help = "Examples:\n  andon traffic www production\n  andon traffic www production --watch\n  andon traffic www --json | jq '.instances[] | select(.in_traffic | not)'"
    )]
    Traffic(commands::traffic::TrafficArgs),
    /// Put back into traffic what nobody has out on purpose; fit to run every minute
    ///
    /// A host that a deployment left out comes back once it runs what it should, is healthy and passes its production
    /// tests. A deployment whose process is gone is brought to rest: no further host starts, and none stays in the
    /// middle. What other people took out of a balancer is only reported.
    #[command(after_help = "Examples:\n  andon sweep\n  andon sweep www production --json")]
    Sweep {
        /// Only this service
        service: Option<ServiceName>,
        /// Only this environment
        environment: Option<EnvironmentName>,
    },
    /// Whether the line runs; who stopped it, why, since when, and how it goes on
    ///
    /// While the line is stopped no deployment begins and no commit passes the commit check, except what puts things
    /// right: a rollback, a declared fix. A release that failed stops it, a failed rollback does, and so does any
    /// person who sees something. Without further words: ends with 0 while it runs and with 1 while it is stopped.
    #[command(
        after_help = "Examples:\n  andon line\n  andon line stop \"orders fell by half at 14:00\"\n  andon line start \"it was the payment provider\""
    )]
    Line {
        #[command(subcommand)]
        what: Option<LineCommand>,
    },
    /// Deployments, the newest first
    #[command(after_help = "Example:\n  andon history www production -n 50 --json")]
    History {
        /// Only this service
        service: Option<ServiceName>,
        /// Only this environment
        environment: Option<EnvironmentName>,
        /// At most so many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
        limit: usize,
    },
    /// One deployment: who, what, when, why, which hosts, how long, how it ended
    #[command(after_help = "Examples:\n  andon show 128\n  andon show 128 --log web1")]
    Show {
        /// Its number [default: the newest]
        #[arg(value_parser = deployment_id)]
        deployment: Option<DeploymentId>,
        /// What this host's steps printed
        #[arg(long, value_name = "HOST")]
        log: Option<HostName>,
    },
    /// Start no further host; hosts in their cycle finish it
    #[command(after_help = "Example:\n  andon pause 128 --why \"looking at the error log\"")]
    Pause(WishArgs),
    /// Go on with a paused deployment, or with one whose process is gone
    #[command(after_help = "Example:\n  andon resume 128")]
    Resume {
        /// Its number [default: the one under way]
        #[arg(value_parser = deployment_id)]
        deployment: Option<DeploymentId>,
        /// Take it from the process that drives it, on another machine that is known to be dead
        #[arg(long)]
        take_over: bool,
    },
    /// Bring hosts in their cycle to a safe point, then stop
    #[command(after_help = "Examples:\n  andon abort 128\n  andon abort 128 --rollback")]
    Abort {
        #[command(flatten)]
        wish: WishArgs,
        /// Put back what was changed
        #[arg(long)]
        rollback: bool,
    },
    /// Run a command on many hosts at once
    ///
    /// Works with a group or host of the line, or with any names that ssh knows: no line is needed. Runs as the user
    /// that ssh logs in as; hosts are told apart as failed, unreachable, and lost while the command ran.
    #[command(
        after_help = "Examples:\n  andon run web -- uname -r\n  andon run web1,web2 --batch 1 --timeout 30s -- 'systemctl is-active www || journalctl -n5 -u www'"
    )]
    Run(commands::run::RunArgs),
    /// Messages to people: what waits, what was given up, what arrived
    ///
    /// A service tells people as `tell = tell(...)` in its line says. A message waits for at most 24 hours.
    #[command(after_help = "Examples:\n  andon tell\n  andon tell retry\n  andon tell test www")]
    Tell {
        #[command(subcommand)]
        what: Option<TellCommand>,
    },
    /// Run the health checks and production tests now; changes nothing
    #[command(after_help = "Example:\n  andon test www production --host web3")]
    Test {
        #[command(flatten)]
        scope: ScopeArgs,
        /// Only these hosts
        #[arg(long, value_name = "HOST", value_delimiter = ',')]
        host: Vec<HostName>,
    },
    /// The built-in balancer: serve, or talk to the one that serves
    ///
    /// Started while another one serves the same control socket, it takes the listening sockets over and the other one
    /// leaves; no connection is lost. SIGHUP reads the configuration again, SIGTERM ends in peace, SIGUSR1 opens the
    /// access log anew, SIGUSR2 starts the program anew.
    #[command(
        after_help = "Examples:\n  andon proxy --config proxy.toml\n  andon proxy show\n  andon proxy drain www web1"
    )]
    Proxy(commands::proxy::ProxyArgs),
    /// Look again at what releases were judged by
    #[command(
        after_help = "Example:\n  andon canary replay .andon/evaluations/rollout-42/recording.jsonl",
        arg_required_else_help = true
    )]
    Canary {
        #[command(subcommand)]
        what: commands::canary::CanaryCommand,
    },
    /// The controller as a service: pages, an API, and deployments that go on while nobody watches
    ///
    /// Listens on this machine only, unless told otherwise; beyond it, and once there is a user, everybody says who they are. SIGTERM ends it in
    /// peace: requests that were begun are answered, evaluations go on when it is started again.
    #[command(
        after_help = "Examples:\n  andon server\n  andon server --listen 10.0.0.5:8420 --token-file /etc/andon/token\n  curl -s http://127.0.0.1:8420/v1/line"
    )]
    Server(commands::server::ServerArgs),
    /// Keep a token for a server, for this person on this machine
    ///
    /// Whoever looks after the server makes tokens there. The token is read from standard input, shown to the server once,
    /// and kept in ~/.config/andon/tokens, which nobody else may read. ANDON_TOKEN counts for more than that file.
    #[command(
        after_help = "Examples:\n  andon login https://andon.example.com\n  andon login https://andon.example.com < token"
    )]
    Login {
        /// The server
        url: String,
    },
    /// Who may sign in at a server of this ledger, and what they may do
    #[command(
        after_help = "Examples:\n  andon user add ana --grant admin\n  andon user list",
        arg_required_else_help = true
    )]
    User {
        #[command(subcommand)]
        what: commands::access::UserCommand,
    },
    /// What programs show to speak for a user at a server of this ledger
    #[command(
        after_help = "Examples:\n  andon token make ci --user ben --grant deploy:www/staging\n  andon token revoke 3",
        arg_required_else_help = true
    )]
    Token {
        #[command(subcommand)]
        what: commands::access::TokenCommand,
    },
    /// Under which name you act, and what you may do
    #[command(after_help = "Example:\n  andon whoami --json")]
    Whoami,
    /// Agree to a release that waits for others, where the line says approvals
    ///
    /// The deployment that was refused for want of approvals asks for them. They count for 24 hours, for this release in
    /// this environment alone, and never for whoever gave them.
    #[command(
        after_help = "Examples:\n  andon approve www production\n  andon approve www production r-51bc07e2a944 --why \"read the diff\""
    )]
    Approve(commands::access::ApproveArgs),
    /// A fleet of six local hosts that shows what Andon does; needs no root and no network
    #[command(after_help = "Example:\n  andon demo --once")]
    Demo {
        /// End after the last act, with one JSON object as the last line
        #[arg(long)]
        once: bool,
    },
    /// The commit check: hooks in a Git repository that refuse pushes while the line is stopped
    #[command(
        after_help = "Example:\n  andon hook install /srv/git/www.git --data /srv/www/.andon",
        arg_required_else_help = true
    )]
    Hook {
        #[command(subcommand)]
        what: commands::hook::HookCommand,
    },
    /// Look after the ledger
    #[command(
        after_help = "Examples:\n  andon ledger verify\n  andon ledger backup /backup",
        arg_required_else_help = true
    )]
    Ledger {
        #[command(subcommand)]
        what: commands::ledger::LedgerCommand,
    },
    /// Where a value of the line was written
    #[command(after_help = "Examples:\n  andon explain www.rollout\n  andon explain \"host web1\"")]
    Explain {
        /// For example `www.rollout` or `host web1`
        key: String,
    },
    /// Explain a command, or a word of line.star
    #[command(after_help = "Examples:\n  andon help deploy\n  andon help rollout")]
    Help {
        /// A command, or a constructor of line.star
        topic: Option<String>,
    },
    /// Write the completion script of a shell
    #[command(after_help = "Example:\n  andon completion bash > /etc/bash_completion.d/andon")]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// What runs on hosts; started by a controller
    #[command(hide = true)]
    Agent,
    /// The web service of the demo
    #[command(hide = true)]
    DemoService(commands::demo::ServiceArgs),
}

/// The recorded exceptions: they never change what the line says, only that it may pass now.
#[derive(Debug, Clone, Args)]
pub(crate) struct Exceptions {
    /// This repairs the damage of that deployment: passes a stopped line, and a scope that is held after it
    #[arg(long, value_name = "DEPLOYMENT", value_parser = deployment_id)]
    pub(crate) fixes: Option<DeploymentId>,
    /// Deploy a release that was put back before, for this reason
    #[arg(long, value_name = "REASON")]
    pub(crate) allow_bad: Option<String>,
    /// Change more hosts at one go than the environment allows, for this reason
    #[arg(long, value_name = "REASON")]
    pub(crate) allow_wide: Option<String>,
    /// Take hosts over that belong to another ledger
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WishArgs {
    /// Its number [default: the one under way]
    #[arg(value_parser = deployment_id)]
    pub(crate) deployment: Option<DeploymentId>,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LineCommand {
    /// Pull the cord: nothing but rollbacks and declared fixes begins from now on
    #[command(after_help = "Example:\n  andon line stop \"orders fell by half at 14:00\"")]
    Stop {
        /// What was seen: everybody who is refused reads it
        why: String,
    },
    /// Let the line run again, whatever it was stopped for
    #[command(after_help = "Example:\n  andon line start \"it was the payment provider\"")]
    Start {
        /// What became of it, for the ledger
        why: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TellCommand {
    /// Try everything that waits, now
    Retry,
    /// Send a test to everybody whom a service tells, and show what each server answers
    Test {
        /// The service
        service: ServiceName,
    },
    /// Who asked to be told what, beyond what the line says
    List,
    /// Ask to be told, for yourself: that a deployment began or ended, that the line was stopped, that an approval is asked
    #[command(
        after_help = "Examples:\n  andon tell subscribe --mail ana@example.com --service www --environment production\n  andon tell subscribe --chat tell-ana --on began,ended-well,rolled-back"
    )]
    Subscribe(commands::tell::SubscribeArgs),
    /// End one of the wishes in `andon tell list`
    Unsubscribe {
        /// Its number
        subscription: u64,
    },
}

pub(crate) fn deployment_id(text: &str) -> Result<DeploymentId, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(DeploymentId).map_err(|_| "a deployment is a number, for example 128".to_owned())
}

/// Reads the words and does what they say.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.common.json;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(commands::dispatch(cli));
            // Steps on hosts do not depend on this process: nothing is waited for.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::broken(format!("the runtime cannot be started: {error}"))),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            speak(&failure.render(Paint::stderr(), json), json);
            ExitCode::from(failure.code)
        }
    }
}

/// Errors go to standard error, except as JSON, where a program reads one stream.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]
fn speak(text: &str, json: bool) {
    if json {
        println!("{text}");
    } else {
        let paint = Paint::stderr();
        eprintln!("{}", voice::in_signs_of(paint, &voice::harmless(paint, text)));
    }
}

/// The command tree, for help and completion.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}
