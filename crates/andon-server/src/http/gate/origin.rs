//! Whether a request that changes something was meant by a page of this server. Browsers say where a request comes from, and
//! a page of ours sends back a token that no other page can read.

use axum::http::{HeaderMap, Method, header};

use crate::http::body::Bytes;
use crate::http::doors::Doors;
use crate::http::reply::{ErrorCode, Refused};

/// The header that scripts of pages send the token in.
pub(crate) const HEADER: &str = "x-csrf-token";
/// The longest form that is looked through, in bytes.
const LONGEST: usize = 64 * 1024;

/// Whether a method only looks.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Insists that a browser, where it is one, sends this from a page of this server.
pub(crate) fn insist(doors: &Doors, headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(elsewhere());
    }
    let Some(origin) = text("origin") else { return Ok(()) };
    let host = text("host").unwrap_or_default();
    let own = doors.settings.external_url.as_deref().is_some_and(|url| url.trim_end_matches('/') == origin);
    let scheme = if doors.settings.tls.is_some() { "https" } else { "http" };
    if own || origin.eq_ignore_ascii_case(&format!("{scheme}://{host}")) { Ok(()) } else { Err(elsewhere()) }
}

fn elsewhere() -> Refused {
    let what = "a page of another site sent this";
    Refused::new(ErrorCode::Forbidden, what, "do it on a page of this server, or with a token")
}

/// Whether this was sent by a browser.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let simple = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    let form = simple.iter().any(|simple| kind.to_ascii_lowercase().starts_with(simple));
    form || headers.contains_key("origin") || headers.contains_key("sec-fetch-site")
}

/// Whether the header shows the token; `None` when there is no such header.
pub(crate) fn in_header(headers: &HeaderMap, token: &str) -> Option<bool> {
    headers.get(HEADER).map(|value| value.to_str().is_ok_and(|shown| same(shown, token)))
}

/// Whether a form shows the token in its field `csrf`.
pub(crate) fn in_form(body: &Bytes, token: &str) -> bool {
    let text = std::str::from_utf8(&body.0).unwrap_or_default();
    let mut shown = text.split('&').filter_map(|pair| pair.strip_prefix("csrf="));
    body.0.len() <= LONGEST
        && matches!((shown.next(), shown.next()), (Some(shown), None) if same(shown, token))
}

/// Digests are compared, in a time that says nothing of where they differ.
fn same(one: &str, two: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(two.as_bytes())
}

pub(crate) fn missing() -> Refused {
    let what = "the form's token is missing or old";
    Refused::new(ErrorCode::Forbidden, what, "load the page again, and send it once more")
}
