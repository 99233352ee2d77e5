//! What stands in the address of a request: names in its path, and words behind its `?`. What makes no sense is refused in
//! the same form as everything else.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reply::{ErrorCode, Refused};

const NEXT: &str = "compare it with GET /v1/openapi.json";

/// A number that JSON carries exactly wherever it is read: below 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Whole(pub(super) u64);

impl TryFrom<u64> for Whole {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        /// The largest of them.
        const MOST: u64 = (1 << 53) - 1;
        if number <= MOST { Ok(Self(number)) } else { Err(format!("{number} is more than {MOST}")) }
    }
}

/// The words behind the `?`.
pub(super) struct AskedQuery<T>(pub(super) T);

/// The names in the path.
pub(super) struct AskedPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for AskedQuery<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let read = Query::try_from_uri(&parts.uri);
        let Query(words) =
            read.map_err(|error| Refused::new(ErrorCode::InvalidRequest, error.body_text(), NEXT))?;
        Ok(Self(words))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for AskedPath<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let read = Path::from_request_parts(parts, state).await;
        let Path(names) =
            read.map_err(|error| Refused::new(ErrorCode::InvalidRequest, error.body_text(), NEXT))?;
        Ok(Self(names))
    }
}
