//! What a form on a page sends. It is taken only from our own pages: another site's page may make a browser send one as well.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};

use crate::http::body::Bytes;
use crate::http::gate::Asker;
use crate::http::reply::{ErrorCode, Refused};

/// The longest text that a person writes into one field, in bytes.
const LONGEST: usize = 1_000;
/// The longest form, in bytes.
const SIZE: usize = 16 * 1024;

/// The fields of a form, by name. Of a field that is sent twice, the first.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        if !is_ours(&parts.headers) {
            let what = "this was sent by the page of another site; nothing was done";
            return Err(Refused::new(ErrorCode::Forbidden, what, "do it on the page itself"));
        }
        let asker = Asker::from_request_parts(&mut parts, state).await?;
        let Bytes(bytes) = Bytes::from_request(Request::from_parts(parts, body), state).await?;
        if bytes.len() > SIZE {
            let what = format!("a form has at most {} KiB", SIZE / 1024);
            return Err(Refused::new(ErrorCode::TooLarge, what, "write less"));
        }
        let form = Self::parse(&bytes);
        if let Some(token) = asker.csrf()
            && form
                .0
                .get("csrf")
                .is_none_or(|sent| blake3::hash(sent.as_bytes()) != blake3::hash(token.as_bytes()))
        {
            let what = "the page that this was sent from is too old, or not ours; nothing was done";
            return Err(Refused::new(
                ErrorCode::Forbidden,
                what,
                "open the page again, then send it once more",
            ));
        }
        Ok(form)
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
        if text.is_some_and(|text| text.len() > LONGEST) {
            let what = format!("{name} has at most {LONGEST} bytes");
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

/// Whether a request comes from a page of this server, as far as browsers say so; programs say nothing.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.to_str(), Ok("same-origin" | "none"));
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        assert!(is_ours(&headers(&[("host", "a:1")])));
        assert!(is_ours(&headers(&[("host", "a:1"), ("origin", "http://a:1")])));
        assert!(is_ours(&headers(&[("host", "a:1"), ("sec-fetch-site", "same-origin")])));
        for foreign in ["http://b:1", "http://a:2", "null", "http://a:1.evil"] {
            assert!(!is_ours(&headers(&[("host", "a:1"), ("origin", foreign)])), "{foreign}");
        }
        assert!(!is_ours(&headers(&[("host", "a:1"), ("sec-fetch-site", "cross-site")])));
        assert!(!is_ours(&headers(&[("host", "a:1"), ("sec-fetch-site", "same-site")])));
        assert!(!is_ours(&headers(&[("origin", "http://a:1")])));
    }

    #[test]
    fn fields_are_bounded_and_the_first_counts() {
        let form = Form::parse(b"why=it+is+%22fixed%22&why=other&empty=+++");
        assert_eq!(form.text("why").unwrap().as_deref(), Some("it is \"fixed\""));
        assert_eq!(form.text("empty").unwrap(), None);
        assert!(form.needed("empty", "the reason").is_err());
        assert!(Form::parse(format!("why={}", "x".repeat(1001)).as_bytes()).text("why").is_err());
    }
}
