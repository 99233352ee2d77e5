//! The text of a systemd unit that Andon writes, and of the environment files beside it. Pure: a word that systemd
//! would read differently than it was meant is refused or escaped, never passed on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use andon_core::host::Placement;
use andon_core::line::{Instance, Template};

use crate::run::order::Filling;

/// Why a unit cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is nothing to start.
    #[error("the command line is empty; name a program in `command`")]
    NoCommand,
    /// The first word of the command line means something else to systemd.
    #[error(
        "systemd does not take {0:?} as a program: it must not start with one of @ - : + ! | nor hold $; name it by its path"
    )]
    Program(String),
    /// A control character.
    #[error(
        "{what} holds a line break or another control character, which a systemd unit cannot; put it into a file of the release"
    )]
    Control {
        /// Where it stands.
        what: String,
    },
    /// Not a variable's name.
    #[error("{0:?} is not the name of an environment variable; use letters, digits and _")]
    Variable(String),
    /// A directory that cannot stand in a unit.
    #[error(
        "the directory {0:?} holds a character that has a meaning of its own in systemd (one of * ? [ ] \\ or a blank at an end); choose another `root`"
    )]
    Root(String),
    /// Not a user's name.
    #[error("{0:?} is not a user's name")]
    User(String),
    /// A line that would reach beyond itself.
    #[error("the extra line {0:?} is not one `Name=value` line of the [Service] section")]
    Extra(String),
}

/// What Andon's unit files start with, so that nobody else's is ever overwritten.
pub(crate) const HEADER: &str = "# Written by Andon";

/// The second line of a unit file: whose it is.
pub(crate) fn owner_line(root: &Path) -> String {
    format!("# root: {}", root.display())
}

/// The whole unit of `placement`. Does not change from release to release: the release is reached through
/// `current` and the environment files.
pub(crate) fn text(
    placement: &Placement,
    command: &[Template],
    user: Option<&str>,
    extra: &[String],
) -> Result<String, UnitError> {
    let root = checked_root(&placement.root)?;
    let per_port = !placement.run.ports.is_empty();
    let mut lines = vec![
        format!("{HEADER} for the service {}; changes are lost at the next deployment.", placement.service),
        owner_line(&placement.root),
        "[Unit]".to_owned(),
        format!("Description={}{} (Andon)", placement.service, if per_port { " %i" } else { "" }),
        "Wants=network-online.target".to_owned(),
        "After=network-online.target".to_owned(),
        // systemd would give up after some ends; a service whose database comes back must come back too.
        "StartLimitIntervalSec=0".to_owned(),
        String::new(),
        "[Service]".to_owned(),
        "Type=exec".to_owned(),
        format!("WorkingDirectory={root}/current"),
        format!("EnvironmentFile={root}/.andon/release.env"),
        format!("EnvironmentFile={root}/.andon/env/{}", if per_port { "%i" } else { "main" }),
        format!("ExecStart={}", command_line(placement, command)?),
        "Restart=on-failure".to_owned(),
        "RestartSec=2".to_owned(),
        "KillMode=mixed".to_owned(),
        format!("TimeoutStopSec={}ms", placement.run.stop_timeout.as_millis()),
    ];
    if let Some(user) = user {
        lines.push(format!("User={}", checked_user(user)?));
    }
    for line in extra {
        lines.push(checked_extra(line)?.to_owned());
    }
    lines.extend([
        String::new(),
        "[Install]".to_owned(),
        "WantedBy=multi-user.target".to_owned(),
        String::new(),
    ]);
    Ok(lines.join("\n"))
}

fn command_line(placement: &Placement, command: &[Template]) -> Result<String, UnitError> {
    // The instance is systemd's to fill in. Its `%` must survive the escaping of everything else, so a character
    // that no word may hold stands for it meanwhile.
    const INSTANCE: &str = "\u{1}";
    let first = placement.instances.first().ok_or(UnitError::NoCommand)?;
    let mut filling = Filling::stable(placement, first);
    if !placement.run.ports.is_empty() {
        filling.port = INSTANCE.to_owned();
        filling.instance = INSTANCE.to_owned();
    }
    let mut words = Vec::with_capacity(command.len());
    for (position, word) in command.iter().enumerate() {
        if word.as_str().chars().any(char::is_control) {
            return Err(UnitError::Control { what: format!("the word {:?} of the command", word.as_str()) });
        }
        let mut filled = filling.fill(word);
        if position == 0 {
            filled = checked_program(filled, &filling.release)?;
        }
        words.push(quoted(&filled).replace(INSTANCE, "%i"));
    }
    if words.is_empty() { Err(UnitError::NoCommand) } else { Ok(words.join(" ")) }
}

/// One word of `ExecStart=`, in quotes: backslashes and quotes escaped, `%` and `$` doubled.
fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for character in word.chars() {
        match character {
            '"' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            '%' => text.push_str("%%"),
            '$' => text.push_str("$$"),
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

fn checked_program(program: String, release: &str) -> Result<String, UnitError> {
    // Prefixes keep their meaning inside of quotes, and `$` is not expanded in the name of a program.
    if program.is_empty()
        || program.starts_with(['@', '-', ':', '+', '!', '|'])
        || program.contains(['$', '\u{1}'])
    {
        return Err(UnitError::Program(program.replace('\u{1}', "%i")));
    }
    if program.contains('/') && !program.starts_with('/') {
        return Ok(format!("{release}/{}", program.trim_start_matches("./")));
    }
    Ok(program)
}

/// These settings take the rest of the line as it is: no quotes, but `%`, and wildcards in a file's name.
fn checked_root(root: &Path) -> Result<String, UnitError> {
    let refused = || UnitError::Root(root.display().to_string());
    let text = root.to_str().ok_or_else(refused)?;
    let bad = |c: char| c.is_control() || matches!(c, '*' | '?' | '[' | ']' | '\\');
    if !text.starts_with('/') || text.chars().any(bad) || text.trim() != text {
        return Err(refused());
    }
    Ok(text.replace('%', "%%"))
}

fn checked_user(user: &str) -> Result<&str, UnitError> {
    let good = !user.is_empty()
        && user.len() <= 64
        && !user.starts_with('-')
        && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if good { Ok(user) } else { Err(UnitError::User(user.to_owned())) }
}

fn checked_extra(line: &str) -> Result<&str, UnitError> {
    let name = line.split_once('=').map(|(name, _)| name.trim_end());
    let named = name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()));
    // A trailing backslash would swallow the line after it.
    if !named || line.chars().any(|c| c.is_control() && c != '\t') || line.trim_end().ends_with('\\') {
        return Err(UnitError::Extra(line.to_owned()));
    }
    Ok(line)
}

/// The text of an environment file with these variables.
pub(crate) fn environment_file(variables: &BTreeMap<String, String>) -> Result<String, UnitError> {
    let mut text = String::new();
    for (name, value) in variables {
        let named = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !named {
            return Err(UnitError::Variable(name.clone()));
        }
        if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(UnitError::Control { what: format!("the environment variable {name}") });
        }
        let _ = write!(text, "{name}=\"");
        for character in value.chars() {
            // Nothing is expanded in these files, but these four are unescaped inside of double quotes.
            if matches!(character, '"' | '\\' | '`' | '$') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push_str("\"\n");
    }
    Ok(text)
}

/// The name of the unit that runs `instance`.
pub(crate) fn name(placement: &Placement, instance: &Instance) -> String {
    if placement.run.ports.is_empty() {
        format!("{}.service", placement.service)
    } else {
        format!("{}@{}.service", placement.service, instance.name)
    }
}

/// The names of the file that holds the unit, and of the file that would hold it if the service had (no) ports.
pub(crate) fn file_names(placement: &Placement) -> (String, String) {
    let plain = format!("{}.service", placement.service);
    let template = format!("{}@.service", placement.service);
    if placement.run.ports.is_empty() { (plain, template) } else { (template, plain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fixture;

    fn templates(words: &[&str]) -> Vec<Template> {
        words.iter().map(|word| Template::new(*word).unwrap()).collect()
    }

    fn exec_start(words: &[&str]) -> Result<String, UnitError> {
        command_line(&fixture::placement(Path::new("/srv/www"), &[8080, 8081]), &templates(words))
    }

    #[test]
    fn a_unit_reaches_the_release_through_current_and_the_port_through_the_instance() {
        let placement = fixture::placement(Path::new("/srv/100% www"), &[8080]);
        let command = templates(&["{release}/bin/www", "--port", "{port}"]);
        let text = text(&placement, &command, Some("www-data"), &["LimitNOFILE=65536".to_owned()]).unwrap();
        for line in [
            r#"ExecStart="/srv/100%% www/current/bin/www" "--port" "%i""#,
            "WorkingDirectory=/srv/100%% www/current",
            "EnvironmentFile=/srv/100%% www/.andon/env/%i",
            "TimeoutStopSec=30000ms",
            "User=www-data",
            "LimitNOFILE=65536",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is missing in\n{text}");
        }
        assert!(text.starts_with(HEADER));
    }

    #[test]
    fn words_keep_their_meaning_in_systemd() {
        assert_eq!(
            exec_start(&["/x", "50%", "$HOME", "a\"b", "c\\d", "e f", ";", "", "{port}%i"]).unwrap(),
            r#""/x" "50%%" "$$HOME" "a\"b" "c\\d" "e f" ";" "" "%i%%i""#
        );
    }

    #[test]
    fn what_systemd_would_read_differently_is_refused() {
        for program in ["-/bin/x", "@x", "+x", "!x", ":x", "|x", "/bin/$x", "{port}", ""] {
            assert!(matches!(exec_start(&[program]), Err(UnitError::Program(_))), "{program:?}");
        }
        assert!(matches!(exec_start(&["/x", "a\nExecStartPre=/bin/evil"]), Err(UnitError::Control { .. })));
        assert!(matches!(exec_start(&["/x", "\u{1}"]), Err(UnitError::Control { .. })));
        assert_eq!(exec_start(&[]), Err(UnitError::NoCommand));
        for line in ["", "x", "[Install]", "=x", "A=b\nC=d", "A=b\\", "A=b\\ ", "# A=b"] {
            assert!(checked_extra(line).is_err(), "{line:?}");
        }
        for user in ["", "-x", "a b", "%u", "x\ny", "a:b"] {
            assert!(checked_user(user).is_err(), "{user:?}");
        }
        for root in ["srv", "/srv/*", "/a\nb", "/a\\", "/a ", "/[x]"] {
            assert!(checked_root(Path::new(root)).is_err(), "{root:?}");
        }
    }

    #[test]
    fn a_program_inside_of_the_release_and_one_on_the_path_are_both_found() {
        assert_eq!(exec_start(&["./bin/www"]).unwrap(), r#""/srv/www/current/bin/www""#);
        assert_eq!(exec_start(&["python3"]).unwrap(), r#""python3""#);
    }

    #[test]
    fn environment_files_escape_what_systemd_unescapes() {
        let one = |value: &str| environment_file(&BTreeMap::from([("A".to_owned(), value.to_owned())]));
        assert_eq!(one(r#" a"b\c$d`e'f%i #"#).unwrap(), "A=\" a\\\"b\\\\c\\$d\\`e'f%i #\"\n");
        assert_eq!(one("two\nlines").unwrap(), "A=\"two\nlines\"\n");
        assert!(one("bell\u{7}").is_err());
        let named = |name: &str| environment_file(&BTreeMap::from([(name.to_owned(), String::new())]));
        for name in ["", "A B", "A=B", "1A", "A\nB"] {
            assert!(named(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn units_are_named_by_port_or_by_service_alone() {
        let ported = fixture::placement(Path::new("/srv/www"), &[8080]);
        assert_eq!(name(&ported, &ported.instances[0]), "www@8080.service");
        assert_eq!(file_names(&ported).0, "www@.service");
        let alone = fixture::placement(Path::new("/srv/www"), &[]);
        assert_eq!(name(&alone, &alone.instances[0]), "www.service");
    }
}
