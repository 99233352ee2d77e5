//! The waves of a deployment as a thin band: one piece for each wave, as wide as it has hosts, filled as far as they came.

use std::collections::BTreeMap;

use andon_core::deployment::{Deployment, HostCause};
use maud::{Markup, html};

/// The whole band, in units of its drawing.
const WIDTH: usize = 10_000;
/// The gap between two waves.
const GAP: usize = 40;

/// The band; nothing before there is a plan, or when nothing changes.
pub fn render(deployment: &Deployment) -> Markup {
    let waves = deployment.plan.as_ref().map(|plan| plan.waves.as_slice()).unwrap_or_default();
    let total: usize = waves.iter().map(Vec::len).sum();
    if total == 0 {
        return html! {};
    }
    let room = WIDTH.saturating_sub(GAP * (waves.len() - 1));
    let mut pieces = Vec::new();
    let (mut done, mut words) = (0, Vec::new());
    for (number, wave) in waves.iter().enumerate() {
        let mut counts: BTreeMap<HostCause, usize> = BTreeMap::new();
        for host in wave {
            *counts.entry(deployment.cause_of(host).unwrap_or(HostCause::Waiting)).or_default() += 1;
        }
        let place = |hosts: usize| number * GAP + room * hosts / total;
        for (cause, count) in &counts {
            pieces.push((cause.tone(), place(done), place(done + count) - place(done)));
            done += count;
        }
        let said: Vec<String> = counts.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
        words.push(format!("wave {}: {}", number + 1, said.join(", ")));
    }
    html! {
        svg.band viewBox={ "0 0 " (WIDTH) " 10" } preserveAspectRatio="none" role="img" aria-label=(words.join("; ")) {
            @for (tone, x, width) in pieces { rect class={ "c-" (tone) } x=(x) y="0" width=(width) height="10" {} }
        }
    }
}
