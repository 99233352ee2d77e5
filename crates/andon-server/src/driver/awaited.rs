//! What a host on its way out of or into traffic waits for, so that a drain that hangs explains itself. The words are those
//! of balancers, made harmless.

use andon_core::balance::Traffic;
use andon_core::deployment::HostState;
use andon_core::host::Stage;
use andon_core::legible::neutral;
use andon_core::name::HostName;
use andon_core::quantity::format_duration;
use andon_core::time::Time;

use super::Progress;

impl Progress {
    /// What a host waits for in its balancers, as they said last: `3 sessions on haproxy www on lb1; what is left is cut
    /// in 18 s`. `None` when it does not, or when nothing was heard since it was told to.
    pub fn awaited(&self, host: &HostName, now: Time) -> Option<String> {
        let plan = self.deployment.plan.as_deref()?;
        let run = self.deployment.hosts.get(host)?;
        let HostState::Doing(step) = &run.state else { return None };
        let (round, rollout) = (&self.round, &plan.service.rollout);
        let (reason, then, limit) = match (step.stage, round.wished(host)?) {
            (Stage::Drain, Traffic::Out | Traffic::Cut) => {
                let busy = round.sight_of(plan, host).busy_with(round.sockets_of(host))?;
                (busy, "what is left is cut", rollout.drain_timeout)
            }
            (Stage::Enable, Traffic::In(_)) => {
                let kept_out = round.sight_of(plan, host).kept_out_by()?;
                (kept_out, "it is given up", rollout.healthy_deadline + rollout.slow_start)
            }
            _ => return None,
        };
        let left = limit.saturating_sub(now.since(run.since)).as_secs();
        let left = std::time::Duration::from_secs(left);
        let then =
            if left.is_zero() { String::new() } else { format!("; {then} in {}", format_duration(left)) };
        Some(format!("{}{then}", neutral(reason.as_bytes())))
    }
}
