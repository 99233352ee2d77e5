//! `andon help` and `andon completion`.

use andon_core::suggest::nearest;

use super::{Done, say};
use crate::args;
use crate::exit;
use crate::failure::Failure;
use crate::paint::Paint;

/// Explains a command, or a word of line.star.
pub(crate) fn help(topic: Option<&str>) -> Done {
    let mut command = args::command();
    let Some(topic) = topic else {
        say(&painted(&command.render_long_help()));
        let words: Vec<&str> = andon_line::reference().iter().map(|word| word.name).collect();
        say(&format!("Words of line.star (andon help WORD): {}", words.join(", ")));
        return Ok(exit::OK);
    };
    command.build();
    if let Some(found) = command.find_subcommand_mut(topic) {
        say(&painted(&found.render_long_help()));
        // A word may be both a command and a constructor.
    }
    let reference = andon_line::reference();
    if let Some(word) = reference.iter().find(|word| word.name == topic) {
        say(&constructor(word));
        return Ok(exit::OK);
    }
    if command.find_subcommand(topic).is_some() {
        return Ok(exit::OK);
    }
    let known: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .chain(reference.iter().map(|word| word.name))
        .collect();
    let failure =
        Failure::usage(format!("there is neither a command nor a word of line.star called {topic:?}"));
    Err(match nearest(topic, known) {
        Some(near) => failure.next(format!("andon help {near}")),
        None => failure.next("andon help"),
    })
}

/// Help with its headings in bold, where somebody looks.
fn painted(help: &clap::builder::StyledStr) -> String {
    if Paint::stdout().colour { help.ansi().to_string() } else { help.to_string() }
}

fn constructor(word: &andon_line::ConstructorDoc) -> String {
    let mut text = format!("{}\n\n{}\n", word.signature, word.summary);
    if !word.details.is_empty() {
        text.push_str(&format!("\n{}\n", word.details));
    }
    let widest = word.parameters.iter().map(|parameter| parameter.name.len()).max().unwrap_or(0);
    for parameter in &word.parameters {
        let default =
            parameter.default.map_or_else(|| "required".to_owned(), |value| format!("default {value}"));
        text.push_str(&format!(
            "\n  {:<widest$}  {}\n  {:<widest$}  {} ({default})\n",
            parameter.name, parameter.doc, "", parameter.expects
        ));
    }
    text.push_str(&format!("\nExample:\n{}", indent(word.example)));
    text
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Writes the completion script of a shell.
pub(crate) fn completion(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "andon", &mut script);
    say(&String::from_utf8_lossy(&script));
    exit::OK
}
