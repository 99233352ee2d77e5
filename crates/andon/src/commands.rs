//! One module for each command: what it asks the server, and the sentences that it makes of the answers.

use crate::args::{Cli, Command};
use crate::failure::Failure;

pub(crate) use crate::voice::{say, say_json};

pub(crate) mod access;
pub(crate) mod canary;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod explain;
pub(crate) mod help;
pub(crate) mod history;
pub(crate) mod hook;
pub(crate) mod init;
pub(crate) mod ledger;
pub(crate) mod line;
pub(crate) mod login;
pub(crate) mod plan;
pub(crate) mod proxy;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod tell;
pub(crate) mod test;
pub(crate) mod traffic;
pub(crate) mod wish;

/// An exit code, or why there is none.
pub(crate) type Done = Result<u8, Failure>;

/// Does what the words say.
pub(crate) async fn dispatch(cli: Cli) -> Done {
    let common = &cli.common;
    match cli.command {
        Command::Init { service } => init::init(common, &service),
        Command::Check => check::check(common),
        Command::Plan { scope, exceptions } => plan::plan(common, &scope, exceptions).await,
        Command::Deploy { scope, why, confirm, exceptions } => {
            deploy::deploy(common, &scope, why, confirm, exceptions).await
        }
        Command::Promote { scope, why, confirm } => deploy::promote(common, scope, why, confirm).await,
        Command::Rollback { scope, to, why, confirm, take_over } => {
            deploy::rollback(common, &scope, to, why, confirm, take_over).await
        }
        Command::Status { service, environment } => status::status(common, service, environment).await,
        Command::Line { what } => line::line(common, what).await,
        Command::History { service, environment, limit } => {
            history::history(common, service.as_ref(), environment.as_ref(), limit).await
        }
        Command::Show { deployment, log } => show::show(common, deployment, log).await,
        Command::Pause(args) => wish::pause(common, args).await,
        Command::Resume { deployment, take_over } => wish::resume(common, deployment, take_over).await,
        Command::Abort { wish, rollback } => wish::abort(common, wish, rollback).await,
        Command::Run(args) => run::run(common, args).await,
        Command::Traffic(args) => traffic::traffic(common, args).await,
        Command::Sweep { service, environment } => sweep::sweep(common, service, environment).await,
        Command::Tell { what } => tell::tell(common, what).await,
        Command::Test { scope, host } => test::test(common, &scope, &host).await,
        Command::Proxy(args) => proxy::proxy(common, args).await,
        Command::Canary { what } => canary::canary(common, what).await,
        Command::Server(args) => server::server(common, args).await,
        Command::Login { url } => login::login(common, &url).await,
        Command::User { what } => access::user(common, what).await,
        Command::Token { what } => access::token(common, what).await,
        Command::Whoami => access::whoami(common).await,
        Command::Approve(args) => access::approve(common, args).await,
        Command::Demo { once } => demo::demo(common, once).await,
        Command::Hook { what } => hook::hook(common, what).await,
        Command::Ledger { what } => ledger::ledger(common, what).await,
        Command::Explain { key } => explain::explain(common, &key),
        Command::Help { topic } => help::help(topic.as_deref()),
        Command::Completion { shell } => Ok(help::completion(shell)),
        Command::Agent => Err(Failure::usage("the agent is started by a controller")),
        Command::DemoService(args) => demo::serve(args).await,
    }
}
