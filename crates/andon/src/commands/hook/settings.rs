//! The settings of a repository's commit check: `andon.toml` in its Git directory, read and written.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::quantity::ByteSize;
use clap::ValueEnum;
use regex::Regex;
use serde::Deserialize;

use crate::failure::Failure;

/// The name of the settings file.
pub(super) const FILE: &str = "andon.toml";
/// The largest settings file, in bytes.
const LARGEST: u64 = 256 << 10;

/// What becomes of a push while nobody can say whether the line runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// It is taken, with a word about it.
    Open,
    /// It is refused.
    Closed,
}

/// Something that a commit may ask to be deployed: `www/production`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Deployable {
    pub(super) service: ServiceName,
    /// `None` is the only environment of the service.
    pub(super) environment: Option<EnvironmentName>,
}

/// Everything that a repository's check is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Protected branches; `*` stands for anything.
    pub(super) branches: Vec<String>,
    pub(super) when_unreachable: Side,
    pub(super) controller: Controller,
    #[serde(default)]
    pub(super) messages: Messages,
    #[serde(default)]
    pub(super) files: Files,
    #[serde(default)]
    pub(super) deploy: Deploy,
}

/// Where the line's state is known: exactly one of both.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Controller {
    pub(super) data: Option<PathBuf>,
    pub(super) server: Option<String>,
}

/// What commit messages have to be like.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Messages {
    /// Every subject has to match it.
    pub(super) pattern: Option<Pattern>,
    /// The fewest characters of a subject.
    pub(super) min_subject: usize,
    /// The most characters of a subject.
    pub(super) max_subject: Option<usize>,
    /// Trailers that every commit has to have.
    pub(super) require_trailers: Vec<String>,
    /// No subject begins with one of these, in either case.
    pub(super) forbid: Vec<String>,
}

/// What the files of commits have to be like.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Files {
    /// The largest file.
    pub(super) max_size: Option<Size>,
}

/// What commits may ask to be deployed, and with which line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deploy {
    pub(super) line: Option<PathBuf>,
    pub(super) allow: Vec<Deployable>,
}

/// A regular expression that was understood.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(pub(super) Regex);

/// A size as people write it: `5 MiB`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Size(pub(super) ByteSize);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;
    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

impl TryFrom<String> for Size {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error| format!("{text:?} is no size: {error}"))
    }
}

impl TryFrom<String> for Deployable {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Deployable {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (service, environment) = match text.split_once('/') {
            Some((service, environment)) => (service, Some(environment)),
            None => (text, None),
        };
        Ok(Self {
            service: service.parse().map_err(|error| format!("{error}"))?,
            environment: environment.map(str::parse).transpose().map_err(|error| format!("{error}"))?,
        })
    }
}

impl fmt::Display for Deployable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.environment {
            Some(environment) => write!(f, "{}/{environment}", self.service),
            None => write!(f, "{}", self.service),
        }
    }
}

impl Settings {
    /// Reads a settings file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
        read.map_err(|error| Failure::broken(format!("{} cannot be read: {error}", path.display())))?;
        let wrong = |why: String| {
            Failure::usage(format!("{} cannot be understood: {why}", path.display()))
                .why("without its settings the commit check takes nothing")
                .next("whoever looks after this repository mends that file")
        };
        let settings: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        match (&settings.controller.data, &settings.controller.server) {
            (Some(_), None) | (None, Some(_)) => Ok(settings),
            _ => Err(wrong("[controller] names either data or server".to_owned())),
        }
    }

    /// Whether a branch is protected.
    pub(super) fn protects(&self, branch: &str) -> bool {
        self.branches.iter().any(|pattern| matches(pattern, branch))
    }
}

/// Whether `text` is as `pattern` says, in which `*` stands for anything, also for nothing.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

/// A first settings file, with what else could stand in it.
pub(super) fn template(
    branches: &[String],
    side: Side,
    controller: &Controller,
    line: Option<&Path>,
    allow: &[Deployable],
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let all = |texts: &mut dyn Iterator<Item = String>| texts.collect::<Vec<_>>().join(", ");
    let branches = all(&mut branches.iter().map(|branch| quoted(branch)));
    let side = if side == Side::Open { "open" } else { "closed" };
    let door = match controller {
        Controller { server: Some(server), .. } => format!("server = {}", quoted(server)),
        Controller { data, .. } => {
            format!("data = {}", quoted(&data.as_deref().unwrap_or(Path::new("")).to_string_lossy()))
        }
    };
    let deploy = match line {
        Some(line) if !allow.is_empty() => format!(
            "[deploy]\nline = {}\nallow = [{}]\n",
            quoted(&line.to_string_lossy()),
            all(&mut allow.iter().map(|it| quoted(&it.to_string())))
        ),
        _ => "# [deploy]                              # what a trailer may start: Andon-Deploy: www production\n\
              # line = \"/srv/www/line.star\"\n# allow = [\"www/production\"]\n"
            .to_owned(),
    };
    format!(
        "# The commit check of Andon. Yours to edit; each push reads it anew.\n\n\
         branches = [{branches}]                 # protected; * stands for anything\n\
         when_unreachable = \"{side}\"            # or \"open\": take pushes while nobody knows the line's state\n\n\
         [controller]\n{door}\n\n\
         [messages]\n\
         # pattern = '^[a-z]+: '                 # every subject matches it\n\
         # min_subject = 8\n# max_subject = 72\n\
         # require_trailers = [\"Reviewed-by\"]\n\
         # forbid = [\"WIP\", \"fixup!\", \"squash!\"] # no subject begins so\n\n\
         [files]\n# max_size = \"5 MiB\"\n\n{deploy}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_everything_else_for_itself() {
        for (pattern, text, is_match) in [
            ("main", "main", true),
            ("main", "main2", false),
            ("release/*", "release/1.2/x", true),
            ("release/*", "release", false),
            ("*", "", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("*é*", "caféx", true),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn a_first_settings_file_says_what_was_asked_for_and_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let controller = Controller { data: Some("/srv/a \"b\"/.andon".into()), server: None };
        let allow = ["www/production".parse().unwrap(), "shop".parse().unwrap()];
        let line = Path::new("/srv/line.star");
        let text =
            template(&["main".into(), "release/*".into()], Side::Open, &controller, Some(line), &allow);
        std::fs::write(&path, text).unwrap();
        let read = Settings::read(&path).unwrap();
        assert_eq!(read.controller.data, controller.data);
        assert_eq!((read.when_unreachable, read.deploy.allow.as_slice()), (Side::Open, &allow[..]));
        assert!(read.protects("release/7") && !read.protects("topic"));
        let server = Controller { data: None, server: Some("http://127.0.0.1:1".into()) };
        std::fs::write(&path, template(&["main".into()], Side::Closed, &server, None, &[])).unwrap();
        assert_eq!(Settings::read(&path).unwrap().when_unreachable, Side::Closed);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let good = "branches = []\nwhen_unreachable = \"open\"\n[controller]\ndata = \"x\"\n";
        for bad in [
            String::new(),
            good.replace("data", "date"),
            good.replace("data = \"x\"", ""),
            format!("{good}server = \"http://x\"\n"),
            format!("{good}[messages]\npattern = '('\n"),
            format!("{good}[files]\nmax_size = \"much\"\n"),
            format!("{good}[deploy]\nallow = [\"../x\"]\n"),
        ] {
            std::fs::write(&path, &bad).unwrap();
            assert!(Settings::read(&path).is_err(), "{bad}");
        }
        std::fs::write(&path, good).unwrap();
        assert!(Settings::read(&path).is_ok());
    }
}
