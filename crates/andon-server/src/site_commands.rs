//! The commands that keep users away from a site and bring them back, run on the controller's machine.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use andon_core::deployment::{Deployment, Input, SiteOrder};
use andon_core::name::SiteName;
use andon_core::quantity::format_duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::{AbortHandle, JoinSet};

/// How much of a command's last words goes into its failure, in bytes.
const TAIL: usize = 2000;

/// The commands under way: at most one for each site.
#[derive(Default)]
pub(crate) struct SiteCommands {
    tasks: JoinSet<Input>,
    under_way: BTreeMap<SiteName, (SiteOrder, AbortHandle)>,
}

impl SiteCommands {
    /// Brings the commands into line with what the deployment wants.
    pub(crate) fn begin(&mut self, deployment: &Deployment) {
        let wanted = deployment.site_orders();
        let limit =
            deployment.plan.as_ref().map(|plan| plan.service.rollout.step_timeout).unwrap_or_default();
        self.under_way.retain(|_, (order, task)| {
            let stays = wanted.contains(order);
            if !stays {
                task.abort();
            }
            stays
        });
        for order in wanted {
            if !self.under_way.contains_key(&order.site) {
                let task = self.tasks.spawn(run(order.clone(), limit));
                self.under_way.insert(order.site.clone(), (order, task));
            }
        }
    }

    /// The next end of a command; never without one.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            // Given up, or it stumbled: either way it is begun anew where it is still wanted.
            Some(Err(_)) => {
                self.under_way.retain(|_, (_, task)| !task.is_finished());
                None
            }
            Some(Ok(ended)) => {
                if let Input::SiteDone { site, .. } = &ended {
                    self.under_way.remove(site);
                }
                Some(ended)
            }
        }
    }
}

async fn run(order: SiteOrder, limit: Duration) -> Input {
    let result = match tokio::time::timeout(limit, attempt(&order)).await {
        Ok(result) => result,
        Err(_) => Err(format!("{} took longer than {}", spelled(&order), format_duration(limit))),
    };
    Input::SiteDone { site: order.site, result }
}

async fn attempt(order: &SiteOrder) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} could not be started: {error}", spelled(order));
    let Some((program, arguments)) = order.command.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    let mut child = crate::secrets::withhold(&mut command)
        .args(arguments)
        .current_dir(&order.directory)
        .env("ANDON_SITE", order.site.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stderr = child.stderr.take();
    let (status, said) = tokio::join!(child.wait(), last_words(stderr));
    let status = status.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let said = andon_core::legible::neutral(said.trim_ascii_end());
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    Err(format!("{} ended with {status}{said}", spelled(order)))
}

/// The end of what a command wrote, however much that was.
async fn last_words(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        kept.extend_from_slice(&piece[..count]);
        let excess = kept.len().saturating_sub(TAIL);
        kept.drain(..excess);
    }
    kept
}

fn spelled(order: &SiteOrder) -> String {
    andon_core::legible::neutral(order.command.join(" ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(script: &str, limit: Duration) -> Result<(), String> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let site = SiteName::new("ams").unwrap();
        let order = SiteOrder { site, command, directory: std::env::temp_dir() };
        match run(order, limit).await {
            Input::SiteDone { result, .. } => result,
            other => panic!("{other:?}"),
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_command_knows_its_site_and_says_why_it_failed() {
        assert_eq!(outcome("test $ANDON_SITE = ams", LONG).await, Ok(()));
        let why = outcome("echo 'the name server\u{1b}[31m refused' >&2; exit 3", LONG).await.unwrap_err();
        assert!(why.contains("exit status: 3") && why.contains("the name server"), "{why}");
        assert!(!why.contains('\u{1b}'), "{why}");
    }

    #[tokio::test]
    async fn a_command_that_talks_for_ever_or_never_ends_is_ended() {
        let why = outcome("yes >&2", Duration::from_millis(300)).await.unwrap_err();
        assert!(why.contains("took longer than"), "{why}");
        let why = outcome("head -c 10000000 /dev/zero | tr '\\0' x >&2; exit 1", LONG).await.unwrap_err();
        assert!(why.len() < 4 * TAIL);
    }
}
