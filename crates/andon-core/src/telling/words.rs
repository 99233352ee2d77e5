//! A message in words: the subject and the text of a mail, and what a chat shows. What comes from commits, hosts and
//! servers is made harmless here for where it goes.

use serde::Serialize;

use super::{Kind, Telling, shortened};
use crate::legible::{neutral, one_line};

/// The longest subject, in characters.
const MOST_SUBJECT: usize = 140;
/// The longest output of a host in a chat, in characters.
const MOST_CHAT: usize = 1_500;

/// What a chat takes, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlackMessage {
    /// The message, in the markup of Slack.
    pub text: String,
}

impl Telling {
    /// The subject of the mail: one line, whatever a commit's subject holds.
    pub fn subject(&self) -> String {
        let place = self.scope.as_ref().map(|scope| format!("{}/{}", scope.service, scope.environment));
        let what = match self.kind {
            Kind::PutBack => format!("{} was put back", self.change()),
            Kind::NotPutBack => format!("{} could not be put back", self.change()),
            Kind::Failed => format!("{} failed", self.change()),
            Kind::Paused => format!("a decision is needed about {}", self.change()),
            Kind::Began => format!("{} is on its way", self.change()),
            Kind::Succeeded => format!("{} serves", self.change()),
            Kind::Undone => format!("{} was called off", self.change()),
            Kind::ApprovalAsked => format!("an approval is asked for {}", self.change()),
            Kind::SuspectHost | Kind::LineStopped | Kind::LineRunning | Kind::Test => self.headline.clone(),
        };
        let text = match place {
            Some(place) => format!("[andon] {place}: {what}"),
            None => format!("[andon] {what}"),
        };
        shortened(&one_line(&text), MOST_SUBJECT)
    }

    /// The change as its author knows it: `"checkout: retry on 409"`, or the release where no commit is known.
    fn change(&self) -> String {
        match (&self.revision, &self.release) {
            (Some(revision), _) => format!("\"{}\"", shortened(&revision.subject, 72)),
            (None, Some(release)) => release.to_string(),
            (None, None) => "a release".to_owned(),
        }
    }

    /// What the message is about, row by row.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(revision) = &self.revision {
            let text = format!("{} \"{}\", by {}", revision.commit, revision.subject, revision.author);
            rows.push(("change", one_line(&text)));
        }
        if let Some(release) = &self.release {
            let place = self.scope.as_ref().map(|scope| format!(" for {scope}")).unwrap_or_default();
            rows.push(("release", format!("{release}{place}, deployed by {}", one_line(&self.by))));
        }
        let at = self.at.iso();
        let (day, rest) = at.split_once('T').unwrap_or_default();
        let clock = rest.split('.').next().unwrap_or_default();
        rows.push(("when", format!("{day} {clock} UTC")));
        rows
    }

    /// The mail as plain text.
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", one_line(&self.headline), one_line(&self.done));
        for (label, row) in self.rows() {
            text.push_str(&format!("{label:<9}{row}\n"));
        }
        if let Some(picture) = &self.picture {
            text.push_str(&format!("\nWhat was seen\n  {}\n", one_line(&picture.sentence)));
        }
        if let Some((host, output)) = &self.output {
            text.push_str(&format!("\nWhat {host} said last\n"));
            neutral(output.as_bytes()).lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
        if !self.next.is_empty() {
            text.push_str("\nWhat to do next\n");
            self.next.iter().for_each(|next| text.push_str(&format!("  {}\n", one_line(next))));
        }
        if let Some(asked) = &self.asked {
            text.push_str(&format!("\n{}\n", one_line(asked)));
        }
        text
    }

    /// What a chat shows.
    pub fn slack(&self) -> SlackMessage {
        let mut text = format!("*{}*\n{}", chat(&self.headline), chat(&self.done));
        for (label, row) in self.rows() {
            text.push_str(&format!("\n{label}: {}", chat(&row)));
        }
        if let Some(picture) = &self.picture {
            text.push_str(&format!("\nseen: {}", chat(&picture.sentence)));
        }
        if let Some((host, output)) = &self.output {
            let count = output.chars().count();
            let end: String = output.chars().skip(count.saturating_sub(MOST_CHAT)).collect();
            let end = in_chat(&neutral(end.as_bytes()).replace('`', "'"));
            text.push_str(&format!("\nwhat {host} said last:\n```\n{end}\n```"));
        }
        for next in &self.next {
            text.push_str(&format!("\n• `{}`", chat(next).replace('`', "'")));
        }
        if let Some(asked) = &self.asked {
            text.push_str(&format!("\n_{}_", chat(asked).replace('_', " ")));
        }
        SlackMessage { text }
    }
}

fn chat(text: &str) -> String {
    in_chat(&one_line(text))
}

/// Slack's three characters, and a stop behind each `@`: a commit's subject must not call everybody in a channel.
fn in_chat(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}")
}
