//! What only those are told who asked for it: that a deployment began or ended as somebody wanted, that it moved the line,
//! that a release waits for an approval. What needs people is told by [`super::of`].

use super::{Kind, MOST_SENTENCE, Telling, about, line_running, line_stopped, shortened};
use crate::access::Asked;
use crate::cord::{Cord, CordFact, Puller};
use crate::deployment::{Deployment, DeploymentId, State};
use crate::release::Release;
use crate::scope::ScopeName;

/// What is new about a deployment, beside what people have to be told: it began, it ended well, or it was called off.
pub fn news(deployment: &Deployment) -> Option<Telling> {
    let kind = match &deployment.state {
        State::Running { .. } => Kind::Began,
        State::Succeeded => Kind::Succeeded,
        State::RolledBack { cause } | State::Failed { cause } if !cause.blames_the_release() => Kind::Undone,
        State::Aborted { .. } => Kind::Undone,
        State::Pending { .. }
        | State::Paused { .. }
        | State::Baking { .. }
        | State::Aborting { .. }
        | State::RollingBack { .. }
        | State::Failed { .. }
        | State::RolledBack { .. }
        | State::RollbackFailed { .. }
        | State::Cancelled { .. } => return None,
    };
    let (id, request) = (deployment.id, &deployment.request);
    let ending = deployment.ending();
    let began = || format!("{id} began: {} to {}, by {}", request.release.id, request.scope, request.by.name);
    let headline = ending.as_ref().map_or_else(began, |ending| ending.headline.clone());
    let next = ending.map_or_else(|| vec![format!("andon show {}", id.0)], |ending| ending.next);
    let at = match kind {
        Kind::Began => deployment.started.unwrap_or(deployment.accepted),
        _ => deployment.ended.unwrap_or(deployment.progress),
    };
    Some(Telling {
        kind,
        key: format!("{}/{}", id.0, kind.name()),
        at,
        headline: shortened(&headline, MOST_SENTENCE),
        next,
        ..about(deployment)
    })
}

/// That a deployment stopped the line, or that the line runs again because of it.
pub fn of_the_cord(cord: &Cord, id: DeploymentId) -> Option<Telling> {
    let by_it = |by: &Puller| matches!(by, Puller::Deployment { deployment, .. } if *deployment == id);
    cord.changes().find_map(|change| match &change.fact {
        CordFact::Stopped { by, reason } if by_it(by) => {
            Some(line_stopped(&id.0.to_string(), &by.to_string(), reason, change.at))
        }
        // It stands on while another reason is left.
        CordFact::Mended { by, why, .. } if by_it(by) && !cord.is_stopped() => {
            Some(line_running(&id.0.to_string(), &by.to_string(), why, change.at))
        }
        _ => None,
    })
}

/// That a release waits for somebody to approve it before it goes to `scope`. One request is told once.
pub fn approval_asked(scope: &ScopeName, release: &Release, asked: &Asked) -> Telling {
    let by = &asked.by.name;
    let people =
        if asked.needed == 1 { "somebody else".to_owned() } else { format!("{} others", asked.needed) };
    let reason = asked.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
    let headline = format!("{by} asks {people} to approve {} for {scope}{reason}", release.id);
    let place = format!("{}/{}", scope.service, scope.environment);
    Telling {
        kind: Kind::ApprovalAsked,
        key: format!("{place}/{}/{}/{}", Kind::ApprovalAsked.name(), release.id, asked.at.0),
        at: asked.at,
        deployment: None,
        scope: Some(scope.clone()),
        release: Some(release.id.clone()),
        revision: release.revision.clone(),
        by: by.clone(),
        blames_the_release: false,
        headline: shortened(&headline, MOST_SENTENCE),
        done: "Nothing has been changed.".to_owned(),
        next: vec![format!("andon approve {} {} {}", scope.service, scope.environment, release.id)],
        output: None,
        picture: None,
        asked: None,
    }
}
