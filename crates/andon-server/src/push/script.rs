//! The lines of shell that run a command on a host and tell its output, its end and its exit code from all else.
//!
//! Pure. What the host's login shell reads must mean the same to sh, bash, zsh, fish and csh: one `exec` with words in
//! single quotes, without line ends, without backslashes that fish would take away, and without exclamation marks that
//! csh would, which leaves those alone that a blank follows.

/// A command as the user wrote it after `--`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(String);

/// Why a command cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// Nothing to run.
    #[error("there is no command to run; write it behind `--`, for example: andon run web -- uname -r")]
    Empty,
    /// A NUL byte.
    #[error("the command contains a NUL byte, which no shell takes; remove it")]
    Nul,
    /// Longer than [`MAX_COMMAND_LEN`].
    #[error(
        "the command has {0} bytes, more than the {MAX_COMMAND_LEN} that fit; copy a script to the hosts instead"
    )]
    TooLong(usize),
}

/// The longest command in bytes: Linux takes arguments of 128 KiB, and encoding may make this one longer.
pub const MAX_COMMAND_LEN: usize = 25_000;

impl CommandLine {
    /// One word is a line for the host's `/bin/sh`; several are the words of one command, each kept as it is.
    pub fn new(words: &[String]) -> Result<Self, CommandLineError> {
        let line = match words {
            [line] => line.clone(),
            words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
        };
        if line.trim().is_empty() {
            return Err(CommandLineError::Empty);
        }
        if line.contains('\0') {
            return Err(CommandLineError::Nul);
        }
        if line.len() > MAX_COMMAND_LEN {
            return Err(CommandLineError::TooLong(line.len()));
        }
        // The shell would read a line that starts with a sign as options.
        Ok(Self(if line.starts_with(['-', '+']) { format!(" {line}") } else { line }))
    }

    /// The line as the host's `/bin/sh` gets it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the command's standard error goes its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Streams {
    /// Both in one, in the order in which the command wrote them.
    #[default]
    Merged,
    /// Each by itself; their order against each other is lost.
    Separate,
}

/// What stands before and behind the command's output. Nobody else can know the nonce in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Markers {
    nonce: String,
}

impl Markers {
    pub(super) fn new(nonce: u128) -> Self {
        Self { nonce: format!("{nonce:032x}") }
    }

    /// Comes right before the output.
    pub(super) fn start(&self) -> Vec<u8> {
        format!("\x1eandon-{}+", self.nonce).into_bytes()
    }

    /// Comes right behind the output; an exit code in decimal digits and a full stop follow.
    pub(super) fn end(&self) -> Vec<u8> {
        format!("\x1eandon-{}-", self.nonce).into_bytes()
    }
}

/// The program that runs the command, and its arguments.
///
/// The shell watches its standard input, which carries nothing: when that ends, the controller is gone or wants no
/// more, and the command is ended, first gently and five seconds later for good. `ssh` makes the shell the leader of a
/// process group, so that this reaches everything which the command started and which did not leave the group.
pub(super) fn program(command: &CommandLine, markers: &Markers, streams: Streams) -> [String; 5] {
    let (line, decoded) = portable(&command.0);
    let (aside, start_aside, end_aside) = match streams {
        Streams::Merged => (" 2>&1", String::new(), String::new()),
        Streams::Separate => {
            let aside = |sign| format!(r#"printf "\036andon-{}{sign}" >&2; "#, markers.nonce);
            ("", aside("+"), aside("-0."))
        }
    };
    let script = format!(
        r#"exec 3<&0 </dev/null{aside}; (trap "" HUP INT TERM; while read -r x; do :; done; kill -TERM -$$; sleep 5; kill -KILL -$$) <&3 3<&- >/dev/null 2>&1 & w=$! ; exec 3<&-; {start_aside}printf "\036andon-{nonce}+"; /bin/sh -c "{decoded}"; c=$?; {{ kill -KILL $w; wait $w; }} 2>/dev/null; {end_aside}printf "\036andon-{nonce}-$c."; exit 0"#,
        nonce = markers.nonce,
    );
    ["/bin/sh".to_owned(), "-c".to_owned(), script, "sh".to_owned(), line]
}

/// [`program`] as a line for whatever login shell the user has on the host.
pub(super) fn remote_line(command: &CommandLine, markers: &Markers, streams: Streams) -> String {
    let [shell, rest @ ..] = program(command, markers, streams);
    rest.iter().fold(format!("exec {shell}"), |line, word| {
        let word = if word.starts_with("-c") || word == "sh" { word.clone() } else { quoted(word) };
        format!("{line} {word}")
    })
}

/// `line` in characters that mean the same between single quotes to every shell, and how to get it back from `$1`.
fn portable(line: &str) -> (String, &'static str) {
    if !line.contains(['\\', '!', '\n', '\r']) {
        return (line.to_owned(), "$1");
    }
    let mut encoded = String::with_capacity(line.len() * 2);
    for c in line.chars() {
        match c {
            '\\' | '!' | '\n' | '\r' => encoded.push_str(&format!("\\0{:03o}", u32::from(c))),
            _ => encoded.push(c),
        }
    }
    (encoded, r#"$(printf %b "$1")"#)
}

/// `word` in single quotes.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output, Stdio};

    use super::*;

    const ODD: &str =
        "printf '%s|' '$HOME' \"it's\" 'a\\nb' '\\\\' 'x!y' '!!' '\\047' '%s' 'é'; printf 'a\nb'; exit 3";

    fn command_line(line: &str) -> CommandLine {
        CommandLine::new(&[line.to_owned()]).unwrap()
    }

    /// Runs a program whose standard input stays open until it has ended, as `ssh` would.
    fn run(program: &str, arguments: &[&str]) -> std::io::Result<Output> {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let open = child.stdin.take();
        let output = child.wait_with_output();
        drop(open);
        output
    }

    /// What `ODD` prints, between the markers.
    fn expected(markers: &Markers) -> Vec<u8> {
        let output = "$HOME|it's|a\\nb|\\\\|x!y|!!|\\047|%s|é|a\nb";
        [markers.start(), output.as_bytes().to_vec(), markers.end(), b"3.".to_vec()].concat()
    }

    #[test]
    fn every_login_shell_reads_the_same_line() {
        let markers = Markers::new(7);
        let line = remote_line(&command_line(ODD), &markers, Streams::Merged);
        assert!(!line.contains('\n') && !line.replace("! ", "").contains('!'));
        let mut tried = Vec::new();
        for shell in ["sh", "bash", "dash", "zsh", "fish", "tcsh", "csh", "mksh", "ksh"] {
            match run(shell, &["-c", &line]) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => eprintln!("skipped: {shell}"),
                output => {
                    let output = output.unwrap();
                    let said = String::from_utf8_lossy(&output.stdout).into_owned();
                    assert_eq!(output.stdout, expected(&markers), "{shell}: {said}");
                    assert_eq!(output.stderr, b"", "{shell}");
                    tried.push(shell);
                }
            }
        }
        assert!(tried.len() >= 2, "install bash: only {tried:?} could be tried");
    }

    #[test]
    fn every_kind_of_bin_sh_understands_the_script() {
        let markers = Markers::new(8);
        let [_, arguments @ ..] = program(&command_line(ODD), &markers, Streams::Merged);
        for shell in [&["sh"][..], &["dash"], &["bash"], &["bash", "--posix"], &["busybox", "sh"], &["mksh"]]
        {
            let arguments = shell[1..].iter().copied().chain(arguments.iter().map(String::as_str));
            match run(shell[0], &arguments.collect::<Vec<_>>()) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => eprintln!("skipped: {shell:?}"),
                output => {
                    let output = output.unwrap();
                    let said = String::from_utf8_lossy(&output.stdout).into_owned();
                    assert_eq!(output.stdout, expected(&markers), "{shell:?}: {said}");
                    assert_eq!(output.stderr, b"", "{shell:?}");
                }
            }
        }
    }

    #[test]
    fn commands_that_cannot_be_sent_are_refused_with_what_to_do() {
        let refused = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            CommandLine::new(&words).unwrap_err()
        };
        assert_eq!(refused(&[]), CommandLineError::Empty);
        assert_eq!(refused(&[" \n"]), CommandLineError::Empty);
        assert_eq!(refused(&["a\0b"]), CommandLineError::Nul);
        assert_eq!(
            refused(&[&"x".repeat(MAX_COMMAND_LEN + 1)]),
            CommandLineError::TooLong(MAX_COMMAND_LEN + 1)
        );
    }

    #[test]
    fn the_longest_command_fits_however_it_is_encoded() {
        for c in ["\\", "'", "!"] {
            let line = command_line(&format!(": \"{}\"", c.repeat(MAX_COMMAND_LEN - 4)));
            let sent = remote_line(&line, &Markers::new(0), Streams::Separate);
            assert!(sent.len() < 128 << 10, "{} bytes", sent.len());
        }
    }
}
