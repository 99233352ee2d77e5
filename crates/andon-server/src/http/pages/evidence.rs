//! What was seen of a deployment, for its page and for programs: its recording, turned into charts.

use andon_core::analysis::Standing;
use andon_core::deployment::Deployment;
use andon_core::time::Time;
use andon_page::evidence::{Evidence, Flow};
use andon_page::frame::Frame;
use maud::Markup;

use crate::http::Desk;
use crate::records::Entry;

/// The newest facts from which events are told at most.
const FACTS: usize = 20_000;

/// What was seen of `deployment`, whose facts are `entries` and whose analysis stands as `standing` says. Reads its
/// recording, which costs the same however long that is.
pub(in crate::http) async fn gather(
    desk: &Desk,
    deployment: &Deployment,
    entries: &[Entry],
    standing: Option<&Standing>,
    now: Time,
) -> Evidence {
    let path = desk.controller.recording_path(deployment.id);
    let (from, to) = (deployment.started.unwrap_or(deployment.accepted), deployment.ended.unwrap_or(now));
    let read = tokio::task::spawn_blocking(move || {
        let mut flow: Option<Flow> = None;
        let header = crate::recording::sample(&path, |header, entry| {
            flow.get_or_insert_with(|| Flow::new(header, from, to)).add(entry);
        });
        (header, flow)
    });
    let (header, flow) = read.await.unwrap_or_default();
    let newest = entries.iter().skip(entries.len().saturating_sub(FACTS));
    let facts = newest.map(|entry| (entry.at, &entry.fact));
    Evidence::of(deployment, facts, header.as_ref(), flow.unwrap_or_default(), standing, now)
}

/// The charts for the page of a deployment; `None` where there is nothing to show.
pub(in crate::http) async fn of(
    desk: &Desk,
    deployment: &Deployment,
    entries: &[Entry],
    standing: Option<&Standing>,
    frame: &Frame,
) -> Option<Markup> {
    let evidence = gather(desk, deployment, entries, standing, frame.now).await;
    andon_page::evidence::render(&evidence, frame)
}
