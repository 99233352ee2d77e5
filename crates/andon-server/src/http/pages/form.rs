//! What a form on a page sends, bounded. That it comes from a page of ours, the gate has seen to.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};

use crate::http::body::{Bytes, LONGEST_TEXT, form_bytes};
use crate::http::reply::{ErrorCode, Refused};

/// The longest form, in bytes.
const SIZE: usize = 16 * 1024;

/// The fields of a form, by name. Of a field that is sent twice, the first.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let Bytes(bytes) = form_bytes(request.into_body()).await?;
        if bytes.len() > SIZE {
            let what = format!("a form has at most {} KiB", SIZE / 1024);
            return Err(Refused::new(ErrorCode::TooLarge, what, "write less"));
        }
        Ok(Self::parse(&bytes))
    }
}

impl Form {
    fn parse(bytes: &[u8]) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes).into_owned() {
            fields.entry(name).or_insert(value);
        }
        Self(fields)
    }

    /// A field without the space around it; `None` when it is empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refused> {
        let text = self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        if text.is_some_and(|text| text.len() > LONGEST_TEXT) {
            let what = format!("{name} has at most {LONGEST_TEXT} bytes");
            return Err(Refused::new(ErrorCode::InvalidRequest, what, "say it in one sentence"));
        }
        Ok(text.map(str::to_owned))
    }

    /// A field that has to be filled in.
    pub(super) fn needed(&self, name: &str, what: &str) -> Result<String, Refused> {
        self.text(name)?.ok_or_else(|| {
            Refused::new(ErrorCode::InvalidRequest, format!("{what} is missing"), "go back and fill it in")
        })
    }

    /// A field that is a name or a number of ours.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refused>
    where
        T::Err: std::fmt::Display,
    {
        let wrong = |error: T::Err| {
            Refused::new(ErrorCode::InvalidRequest, error.to_string(), "go back and choose again")
        };
        self.text(name)?.map(|text| text.parse().map_err(wrong)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_bounded_and_the_first_counts() {
        let form = Form::parse(b"why=it+is+%22fixed%22&why=other&empty=+++");
        assert_eq!(form.text("why").unwrap().as_deref(), Some("it is \"fixed\""));
        assert_eq!(form.text("empty").unwrap(), None);
        assert!(form.needed("empty", "the reason").is_err());
        assert!(Form::parse(format!("why={}", "x".repeat(1001)).as_bytes()).text("why").is_err());
    }
}
