//! Which code each problem has, over HTTP.

use andon_core::plan::Refusal;
use andon_store::StoreError;

use super::moment::rfc3339;
use super::reply::{ErrorCode, Refused};
use crate::artifacts::ArtifactError;
use crate::clock;
use crate::lines::NoScope;
use crate::problem::Problem;
use crate::promotions::NotPromoted;
use crate::records::RecordsError;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let words = problem.words(clock::now(), &|moment| format!("at {}", rfc3339(moment)));
        let next = words.next.unwrap_or_else(|| "look how things stand, then decide anew".to_owned());
        let refused = Self::new(code(&problem), words.what, next).travelling(&problem);
        match words.why {
            Some(why) => refused.why(why),
            None => refused,
        }
    }
}

impl From<RecordsError> for Refused {
    fn from(error: RecordsError) -> Self {
        Problem::Records(error).into()
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        RecordsError::from(error).into()
    }
}

impl From<NoScope> for Refused {
    fn from(error: NoScope) -> Self {
        let code = match error {
            NoScope::Service(_) | NoScope::Environment(..) => ErrorCode::NotFound,
            NoScope::Several(..) => ErrorCode::Conflict,
        };
        Self::new(code, error.to_string(), "see what the line has: GET /v1/services")
    }
}

impl From<NotPromoted> for Refused {
    fn from(error: NotPromoted) -> Self {
        match error {
            NotPromoted::Records(error) => error.into(),
            other => Self::new(ErrorCode::Conflict, other.to_string(), other.next()),
        }
    }
}

impl From<ArtifactError> for Refused {
    fn from(error: ArtifactError) -> Self {
        let what = error.to_string();
        match error {
            ArtifactError::NotKept { .. } => {
                Self::new(ErrorCode::Unavailable, what, "free space there, then ask again").why(
                    "a copy of the release is kept here before the first host is touched; nothing has been changed",
                )
            }
            ArtifactError::Unsigned { path, .. } => {
                let next = format!("minisign -S -m {}, with a key that the line names", path.display());
                Self::new(ErrorCode::UnfitRelease, what, next).why(
                    "the line says signed_by; what is not signed touches no host; nothing has been changed",
                )
            }
            ArtifactError::Missing { .. }
            | ArtifactError::NotAnArchive(_)
            | ArtifactError::Refused { .. } => {
                Self::new(ErrorCode::UnfitRelease, what, "build it again, then: andon plan").why(
                    "a release is checked before the first host is touched; nothing has been changed",
                )
            }
        }
    }
}

/// The code of a problem.
fn code(problem: &Problem) -> ErrorCode {
    match problem {
        Problem::Refused(refusal) => code_of_plan(refusal),
        Problem::Unconfirmed(_) => ErrorCode::Unconfirmed,
        Problem::Unapproved(_) => ErrorCode::Unapproved,
        Problem::GivenUp => ErrorCode::GivenUp,
        Problem::Held { .. } => ErrorCode::Held,
        Problem::Stopped { .. } => ErrorCode::LineStopped,
        Problem::Occupied { .. } => ErrorCode::Occupied,
        Problem::Orphaned { .. } => ErrorCode::Orphaned,
        Problem::Driven { .. } => ErrorCode::Driven,
        Problem::TakenOver { .. } => ErrorCode::TakenOver,
        Problem::HostTaken { .. } => ErrorCode::HostTaken,
        Problem::Secret(_) => ErrorCode::MissingSecret,
        Problem::NotNow(_) => ErrorCode::NotNow,
        Problem::Records(RecordsError::NoDeployment(_)) => ErrorCode::NotFound,
        Problem::Records(RecordsError::Newer { .. }) => ErrorCode::LedgerNewer,
        Problem::Records(RecordsError::Foreign { .. } | RecordsError::Elsewhere(_)) => ErrorCode::Unavailable,
        Problem::Records(RecordsError::Store(error)) => match error {
            StoreError::Damaged { .. } | StoreError::Behind { .. } => ErrorCode::LedgerDamaged,
            StoreError::Newer { .. } => ErrorCode::LedgerNewer,
            StoreError::Full { .. } => ErrorCode::LedgerFull,
            StoreError::Invalid(_) => ErrorCode::InvalidRequest,
            _ => ErrorCode::Unavailable,
        },
    }
}

fn code_of_plan(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::NothingToDo { .. } => ErrorCode::NothingToDo,
        Refusal::NoHosts(_) => ErrorCode::NoHosts,
        Refusal::BadRelease { .. } => ErrorCode::BadRelease,
        Refusal::NothingToGoBackTo(_) | Refusal::NeverThere { .. } => ErrorCode::NothingToGoBackTo,
        Refusal::Unreachable { .. } => ErrorCode::HostsUnreachable,
        Refusal::Full(_) => ErrorCode::HostsFull,
        Refusal::Balancers(_) => ErrorCode::BalancerTrouble,
        Refusal::Obstacles(_) => ErrorCode::HostsUnfit,
        Refusal::Foreign { .. } => ErrorCode::ForeignHost,
        Refusal::TooWide(_) => ErrorCode::TooWide,
        Refusal::Site { .. } | Refusal::Floor { .. } => ErrorCode::FloorBroken,
    }
}
