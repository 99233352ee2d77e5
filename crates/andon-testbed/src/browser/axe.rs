//! The accessibility check: `axe-core` looks at the page as it stands.

use std::fs;

use serde_json::Value;

use super::{Browser, BrowserError};
use crate::packages;

/// The rules without which a page is of no use to many: broken, they are named first. All rules of WCAG 2.2 A and AA run
/// as well.
pub const RULES: [&str; 11] = [
    "aria-valid-attr-value",
    "button-name",
    "color-contrast",
    "document-title",
    "heading-order",
    "html-has-lang",
    "image-alt",
    "label",
    "landmark-one-main",
    "link-name",
    "region",
];

/// The sets of rules that run as a whole.
const SETS: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];

const RUN: &str = "
const done = arguments[arguments.length - 1];
const rules = Object.fromEntries(RULES.map((rule) => [rule, { enabled: true }]));
axe.run(document, { runOnly: { type: 'tag', values: SETS }, rules, resultTypes: ['violations'] })
  .then(({ violations, passes }) => done({ violations, passes: passes.length }), (error) => done(String(error)));
";

impl Browser {
    /// What `axe` finds wrong with the page as it stands: the rule, and the places. Nothing is good.
    ///
    /// # Errors
    /// [`BrowserError`], also when `axe` itself could not look.
    pub fn inaccessible(&self) -> Result<Vec<String>, BrowserError> {
        let file = packages::node_modules()?.join("axe-core/axe.min.js");
        let axe = fs::read_to_string(&file).map_err(BrowserError::io("read axe"))?;
        if self.eval("return typeof axe")? != "object" {
            // As a script of the page it would be refused: only what comes from the server may run.
            self.eval(&format!("{axe}\nwindow.axe = axe;"))?;
        }
        let constants = format!("const RULES = {RULES:?}; const SETS = {SETS:?};");
        let found = self.eval_async(&format!("{constants}{RUN}"))?;
        let refused = || BrowserError::Refused { doing: "look with axe".to_owned(), said: found.to_string() };
        let violations = found["violations"].as_array().ok_or_else(refused)?;
        if found["passes"].as_u64().unwrap_or(0) == 0 {
            return Err(refused());
        }
        let mut said: Vec<(bool, String)> = violations.iter().map(sentence).collect();
        said.sort();
        Ok(said.into_iter().map(|(_, sentence)| sentence).collect())
    }
}

/// A violation in words; one of [`RULES`] comes first.
fn sentence(violation: &Value) -> (bool, String) {
    let rule = violation["id"].as_str().unwrap_or_default();
    let help = violation["help"].as_str().unwrap_or_default();
    let nodes = violation["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let places: Vec<String> = nodes
        .iter()
        .take(4)
        .map(|node| {
            let html = node["html"].as_str().unwrap_or_default();
            let why = node["failureSummary"].as_str().unwrap_or_default().replace('\n', " ");
            format!("  {}\n    {why}", html.chars().take(200).collect::<String>())
        })
        .collect();
    let sentence = format!("{rule}: {help} ({} places)\n{}", nodes.len(), places.join("\n"));
    (!RULES.contains(&rule), sentence)
}
