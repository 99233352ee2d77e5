//! Answers: JSON, and errors with a code of a closed set, what happened, why, and what to do next.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub(super) use super::error_code::ErrorCode;

/// Which andon answers.
const VERSION: &str = "andon-version";

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    pub(super) why: Option<String>,
    pub(super) next: String,
    again: Option<Duration>,
    problem: Option<Box<Value>>,
}

/// An answer to a request that is not done.
#[derive(Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// What is wrong.
    error: Wrong<'a>,
}

/// What is wrong with a request, or with the world that it meets.
#[derive(Serialize, ToSchema)]
pub(super) struct Wrong<'a> {
    /// For programs.
    code: ErrorCode,
    /// What happened: one sentence.
    message: &'a str,
    /// Why, and what state the world is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    /// What to do next.
    next: &'a str,
    /// The same as Andon's own commands read it, where it comes from the controller. Its shape may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    problem: Option<&'a Value>,
}

impl Refused {
    /// `message` says what happened, `next` what to do.
    pub(super) fn new(code: ErrorCode, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, message: message.into(), why: None, next: next.into(), again: None, problem: None }
    }

    /// The same, with why, and what state the world is in.
    pub(super) fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// The same, with the problem for Andon's own commands, which word it themselves.
    pub(super) fn travelling(self, problem: &crate::Problem) -> Self {
        Self { problem: serde_json::to_value(problem).ok().map(Box::new), ..self }
    }

    /// The same; it may be asked again after that time.
    pub(super) fn again_in(self, pause: Duration) -> Self {
        Self { again: Some(pause), ..self }
    }
}

impl Refused {
    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What happened and what to do, for a page.
    pub(super) fn sentence(&self) -> String {
        format!("{}; {}", self.message, self.next)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let Self { code, message, why, next, again, problem } = &self;
        let error = Wrong { code: *code, message, why: why.as_deref(), next, problem: problem.as_deref() };
        let mut response = as_json(code.status(), &Problem { error });
        let headers = response.headers_mut();
        if self.code == ErrorCode::Unauthorised {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(again) = again {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(again.as_secs().max(1)));
        }
        // What was not read to its end cannot be followed by another request.
        if matches!(self.code, ErrorCode::TooLarge | ErrorCode::TooSlow) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        // A browser is shown the same words as a page.
        response.extensions_mut().insert(self);
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
    response.headers_mut().insert(VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
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
