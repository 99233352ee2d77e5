//! Answers: JSON, and errors with a code of a closed set, what happened, and what to do next.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorCode {
    /// The request makes no sense.
    InvalidRequest,
    /// The token is missing or wrong.
    Unauthorised,
    /// There is no such thing.
    NotFound,
    /// There is such a thing, and it does not do that.
    MethodNotAllowed,
    /// The request did not come within its time.
    TooSlow,
    /// It contradicts what is there.
    Conflict,
    /// The request is longer than it may be.
    TooLarge,
    /// There are as many as there may be.
    TooMany,
    /// Something that Andon needs failed.
    Unavailable,
}

impl ErrorCode {
    fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    code: ErrorCode,
    message: String,
    next: String,
}

impl Refused {
    /// `message` says what happened, `next` what to do.
    pub(super) fn new(code: ErrorCode, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), next: next.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let error = json!({ "code": self.code, "message": self.message, "next": self.next });
        let mut response = as_json(self.code.status(), &json!({ "error": error }));
        if self.code == ErrorCode::Unauthorised {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What was not read to its end cannot be followed by another request.
        if matches!(self.code, ErrorCode::TooLarge | ErrorCode::TooSlow) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// A value as JSON.
pub(super) fn as_json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut text = match serde_json::to_vec(value) {
        Ok(text) => text,
        Err(error) => {
            let why = format!("the answer cannot be written: {error}");
            return Refused::new(ErrorCode::Unavailable, why, "see what the server says of itself")
                .into_response();
        }
    };
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Words as plain text.
pub(super) fn as_text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
