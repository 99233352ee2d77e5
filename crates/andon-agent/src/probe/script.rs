//! The script probe: a script from beside the line, run on the host. Its text is never given to a shell as a
//! command; it is a file, read by the interpreter that it names.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use andon_core::masking::Mask;

use super::{Answer, MAX_OUTPUT, legible};
use crate::run::child::{self, Ended};
use crate::run::supervisor::describe;

/// Runs the script and passes when it ends with exit code 0. What it prints is masked before anything is made of it.
pub(super) fn ask(
    content: &str,
    args: &[String],
    environment: &BTreeMap<String, String>,
    mask: &Mask,
    timeout: Duration,
) -> Answer {
    let file = match PrivateFile::new(content) {
        Ok(file) => file,
        Err(error) => return Answer::failed(&format!("could not be written to a temporary file: {error}")),
    };
    // The interpreter is started by us, not by the kernel: so the file may lie where nothing may be executed.
    let (interpreter, flag) = interpreter(content);
    let mut command = Command::new(&interpreter);
    command.args(flag).arg(&file.0).args(args).env_clear().envs(environment).current_dir("/");
    let finished = match child::run(&mut command, timeout, MAX_OUTPUT) {
        Ok(finished) => finished,
        Err(error) => return Answer::failed(&format!("could not be started with {interpreter}: {error}")),
    };
    let [stdout, stderr] =
        [finished.stdout, finished.stderr].map(|said| mask.hide(&said, said.len() >= MAX_OUTPUT));
    let said = [stdout, stderr].concat();
    let last =
        said.split(|byte| *byte == b'\n').map(|line| legible(line, 200)).rfind(|line| !line.is_empty());
    let with_last = |sentence: String| match &last {
        Some(line) => format!("{sentence}: {line}"),
        None => sentence,
    };
    match finished.ended {
        Ended::Code(0) => Answer::new(true, &with_last("passed".to_owned()), &said),
        Ended::TimedOut => Answer::new(false, &with_last(format!("did not end within {timeout:?}")), &said),
        how => Answer::new(false, &with_last(describe(how)), &said),
    }
}

/// What keeps the script from running on this host.
pub(super) fn obstacle(name: &str, content: &str) -> Option<String> {
    let (interpreter, _) = interpreter(content);
    (interpreter.starts_with('/') && !Path::new(&interpreter).exists())
        .then(|| format!("The script {name} needs {interpreter}, which this host does not have. Install it."))
}

/// The program of the `#!` line and its one argument, split as the kernel does.
fn interpreter(content: &str) -> (String, Option<String>) {
    let line =
        content.strip_prefix("#!").and_then(|rest| rest.lines().next()).map(str::trim).unwrap_or_default();
    match line.split_once([' ', '\t']) {
        _ if line.is_empty() => ("/bin/sh".to_owned(), None),
        Some((program, flag)) => (program.to_owned(), Some(flag.trim().to_owned())),
        None => (line.to_owned(), None),
    }
}

/// A file that only we can read, gone when it is dropped.
struct PrivateFile(PathBuf);

impl PrivateFile {
    fn new(content: &str) -> io::Result<Self> {
        let mut random = [0_u8; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("andon-probe-{name}"));
        // A new file or none: whoever prepared a link under a guessed name gains nothing.
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o700).open(&path)?;
        let made = Self(path);
        file.write_all(content.as_bytes())?;
        Ok(made)
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn run(content: &str, timeout: Duration) -> Answer {
        let environment = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("ANDON_PORT".to_owned(), "8080".to_owned()),
        ]);
        ask(content, &["one two".to_owned()], &environment, &Mask::default(), timeout)
    }

    #[test]
    fn a_script_sees_its_arguments_and_environment_and_passes_with_exit_code_0() {
        let answer = run("echo \"$1|$ANDON_PORT|$HOME|$(stat -c %a \"$0\")\"\n", LONG);
        assert_eq!((answer.passed, answer.message.as_str()), (true, "passed: one two|8080||700"));
    }

    #[test]
    fn a_failing_script_tells_its_last_line() {
        let answer =
            run("#!/bin/sh -e\necho first\necho 'no \u{1b}[31mstock' >&2\nfalse\necho never\n", LONG);
        assert_eq!(answer.message, "ended with exit code 1: no \u{fffd}[31mstock");
        assert_eq!(answer.detail, "first\nno \u{fffd}[31mstock");
    }

    #[test]
    fn the_first_line_chooses_the_interpreter() {
        assert_eq!(
            interpreter("#! /usr/bin/env  python3 -u\nx"),
            ("/usr/bin/env".into(), Some("python3 -u".into()))
        );
        assert_eq!(interpreter("#!/bin/cat"), ("/bin/cat".into(), None));
        assert_eq!(interpreter("echo"), ("/bin/sh".into(), None));
        assert_eq!(interpreter("#!\n"), ("/bin/sh".into(), None));
        assert!(run("#!/bin/cat", LONG).detail.starts_with("#!/bin/cat"));
        let missing = run("#!/nowhere/ruby\n", LONG);
        assert!(!missing.passed && missing.message.contains("/nowhere/ruby"), "{}", missing.message);
        assert!(obstacle("tests/x", "#!/nowhere/ruby\n").is_some_and(|text| text.contains("tests/x")));
        assert_eq!(obstacle("tests/x", "#!/bin/sh\n"), None);
    }

    #[test]
    fn a_script_that_does_not_end_is_ended_and_its_file_is_gone() {
        let answer =
            run("trap '' TERM\necho \"$0\"\nwhile :; do sleep 1; done\n", Duration::from_millis(500));
        assert!(
            !answer.passed && answer.message.starts_with("did not end within 500ms"),
            "{}",
            answer.message
        );
        assert!(answer.detail.contains("andon-probe-") && !Path::new(&answer.detail).exists());
    }

    #[test]
    fn huge_binary_output_is_bounded() {
        let answer = run("head -c 3000000 /dev/urandom\nexit 7\n", LONG);
        assert!(answer.message.starts_with("ended with exit code 7"));
        assert!(answer.message.len() <= 300 && answer.detail.len() <= 4096);
    }
}
