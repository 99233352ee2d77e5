//! What there is to ask of `andon server`: the pages that links lead to, what a page brings along, and what the
//! description of the API lets one read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::served::{Answer, Served};
use crate::failure::Failure;

/// Pages of one shape that are asked for, and pages at all.
const OF_ONE_SHAPE: usize = 2;
const PAGES: usize = 150;

/// Paths that differ only in a number or a name have one shape.
pub(super) struct Shapes {
    names: BTreeSet<String>,
}

impl Shapes {
    /// With these names of services, environments, hosts and the like.
    pub(super) fn new(names: BTreeSet<String>) -> Self {
        Self { names }
    }

    /// The shape of a path; of its query, the keys.
    pub(super) fn of(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<String> = path.split('/').map(|segment| self.segment(segment)).collect();
        let keys: BTreeSet<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
        let keys = keys.into_iter().filter(|key| !key.is_empty()).collect::<Vec<_>>().join("&");
        let path = segments.join("/");
        if keys.is_empty() { path } else { format!("{path}?{keys}") }
    }

    fn segment(&self, segment: &str) -> String {
        let (stem, end) = segment.rsplit_once('.').map_or((segment, ""), |(stem, end)| (stem, end));
        let is_name =
            |text: &str| self.names.contains(text) || text.bytes().any(|byte| byte.is_ascii_digit());
        match (is_name(segment), is_name(stem)) {
            (true, _) if !matches!(end, "svg" | "atom" | "json" | "csv") => "*".to_owned(),
            (_, true) => format!("*.{end}"),
            _ => segment.to_owned(),
        }
    }
}

/// The paths of pages that links lead to, beginning at `/`: of each shape a few.
pub(super) fn pages(served: &Served, shapes: &Shapes) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut next = VecDeque::from(["/".to_owned()]);
    while let Some(path) = next.pop_front() {
        let count = seen.entry(shapes.of(&path)).or_default();
        if *count >= OF_ONE_SHAPE || found.len() >= PAGES {
            continue;
        }
        *count += 1;
        let answer = served.get(&path, false)?;
        if answer.kind.starts_with("text/html") {
            for link in links(&answer.text()) {
                if known.insert(link.clone()) {
                    next.push_back(link);
                }
            }
        }
        found.push(path);
    }
    Ok(found)
}

/// The links of a page that stay on this server and lead to something to look at.
fn links(html: &str) -> Vec<String> {
    let hrefs = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let hrefs = hrefs.map(|href| href.split('#').next().unwrap_or(href).replace("&amp;", "&"));
    let ours = |href: &String| {
        href.starts_with('/')
            && !href.starts_with("//")
            && !["/assets/", "/v1/", "/sign-"].iter().any(|other| href.starts_with(other))
    };
    hrefs.filter(ours).collect()
}

/// The paths of styles and scripts that an answer brings along, and those that these bring.
pub(super) fn parts(served: &Served, page: &Answer) -> Result<BTreeSet<String>, Failure> {
    let mut parts = BTreeSet::new();
    let mut next = assets(&page.text());
    while let Some(part) = next.pop() {
        if !parts.contains(&part) {
            next.extend(assets(&served.get(&part, false)?.text()));
            parts.insert(part);
        }
    }
    Ok(parts)
}

fn assets(text: &str) -> Vec<String> {
    let words = text.split(['"', '\'', '(', ')']);
    words.filter(|word| word.starts_with("/assets/") && !word.contains(' ')).map(str::to_owned).collect()
}

/// What the description of the API lets one read, with something in place of each parameter; and the paths with a
/// parameter that nobody knows.
pub(super) fn reads(served: &Served) -> Result<(Vec<String>, Vec<String>), Failure> {
    let text = served.get("/v1/openapi.json", false)?.text();
    let document: Value = serde_json::from_str(&text).unwrap_or_default();
    let newest = served.get("/v1/deployments?limit=1", false)?.text();
    let newest: Value = serde_json::from_str(&newest).unwrap_or_default();
    let newest = ["/0/deployment", "/0/id", "/deployments/0/deployment", "/deployments/0/id"]
        .iter()
        .find_map(|place| newest.pointer(place).and_then(Value::as_u64))
        .map_or_else(String::new, |id| id.to_string());
    let releases = served.get("/v1/releases?service=basket", false)?.text();
    let releases: Value = serde_json::from_str(&releases).unwrap_or_default();
    let release = |place: usize| releases[place]["release"].as_str().unwrap_or_default().to_owned();
    let (newer, older) = (release(0), release(1));
    let scope = "scope/basket/production".replace('/', "%2F");
    let values = [
        ("id", newest.as_str()),
        ("deployment", newest.as_str()),
        ("number", newest.as_str()),
        ("service", "basket"),
        ("environment", "production"),
        ("host", "s00-00.example.com"),
        ("name", "s00-00.example.com"),
        ("from", older.as_str()),
        ("to", newer.as_str()),
        ("stream", scope.as_str()),
        ("view", "deployment"),
        ("key", newest.as_str()),
    ];
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let get = &methods["get"];
        let streams = get["responses"].to_string().contains("text/event-stream");
        // What is judged for others is no part of the ledger, and there is none of it here.
        if get.is_null() || streams || path.contains("/evaluations/") {
            continue;
        }
        let mut whole = path.clone();
        for (name, value) in values {
            whole = whole.replace(&format!("{{{name}}}"), value);
        }
        let needed = get["parameters"].as_array().into_iter().flatten();
        let needed = needed.filter(|it| it["in"] == "query" && it["required"] == true);
        for (place, name) in needed.filter_map(|it| it["name"].as_str()).enumerate() {
            let value = values.iter().find(|(known, _)| *known == name).map_or("0", |(_, value)| value);
            whole += &format!("{}{name}={value}", if place == 0 { '?' } else { '&' });
        }
        if whole.contains('{') { unknown.push(path.clone()) } else { known.push(whole) }
    }
    Ok((known, unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_in_a_name_have_one_shape() {
        let shapes = Shapes::new(["basket", "production"].map(str::to_owned).into());
        assert_eq!(shapes.of("/services/basket/production"), "/services/*/*");
        assert_eq!(shapes.of("/deployments/100000?wave=2&host=web1"), "/deployments/*?host&wave");
        assert_eq!(shapes.of("/badges/basket.svg"), "/badges/*.svg");
        assert_eq!(shapes.of("/timeline"), "/timeline");
    }

    #[test]
    fn links_that_lead_away_or_change_something_are_no_pages() {
        let html = r##"<a href="/hosts?a=1&amp;b=2">x</a> <a href="//else.where/"> <a href="https://x/"> <a href="#top">
            <link href="/assets/a.css"> <a href="/timeline#now">"##;
        assert_eq!(links(html), ["/hosts?a=1&b=2", "/timeline"]);
        assert_eq!(assets(html), ["/assets/a.css"]);
    }
}
