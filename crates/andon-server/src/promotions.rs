//! The release that goes on from one environment to the next, by the line and by the ledger. What may, is the core's.

use andon_core::line::Service;
use andon_core::name::EnvironmentName;
use andon_core::promotion::{NotYet, before, goes_on};
use andon_core::release::Release;
use andon_core::scope::ScopeName;

use crate::controller::Controller;
use crate::lines::LineOnDisk;
use crate::records::RecordsError;

/// Why nothing goes on to an environment.
#[derive(Debug, thiserror::Error)]
pub enum NotPromoted {
    /// The line names no environment that a release passes before.
    #[error("the line says of no environment that {0} comes after it")]
    NoSource(EnvironmentName),
    /// What runs there does not go on now.
    #[error("{0}")]
    NotYet(NotYet),
    /// Its bytes are not kept here any more.
    #[error("{} is not kept here any more, so its bytes cannot be sent", .0.id)]
    NotKept(Box<Release>),
    /// The ledger could not be read.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl NotPromoted {
    /// What to do next.
    pub fn next(&self) -> String {
        match self {
            Self::NoSource(to) => {
                format!("write it in line.star: environment(\"{to}\", after = \"staging\")")
            }
            Self::NotYet(not_yet) => not_yet.next(),
            Self::NotKept(_) => "deploy it to the environment before once more".to_owned(),
            Self::Records(_) => "look at the ledger: andon ledger verify".to_owned(),
        }
    }
}

impl Controller {
    /// The release that `scope` gets: exactly what the environment before it runs, with its bytes kept here.
    ///
    /// # Errors
    /// [`NotPromoted`].
    pub async fn promoted(
        &self,
        line: &LineOnDisk,
        service: &Service,
        scope: &ScopeName,
    ) -> Result<Release, NotPromoted> {
        let to = &scope.environment;
        let from = before(line.line(), service, to).ok_or_else(|| NotPromoted::NoSource(to.clone()))?;
        let source = ScopeName { service: scope.service.clone(), environment: from.clone() };
        let (source, target) =
            (self.records().scope(&source).await?.value, self.records().scope(scope).await?.value);
        let release = goes_on(from, &source, &target).map_err(NotPromoted::NotYet)?.release.clone();
        if tokio::fs::metadata(self.artifacts().path(&release)).await.is_err() {
            return Err(NotPromoted::NotKept(Box::new(release)));
        }
        Ok(release)
    }
}
