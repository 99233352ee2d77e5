//! The Nagios probe: plugins run unchanged, and their exit codes mean what they always meant.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Answer, MAX_OUTPUT};
use crate::run::child::{self, Ended, Finished};
use crate::run::supervisor::describe;

/// Where plugins live, in the order of the search. After these comes `PATH`.
const DIRECTORIES: [&str; 3] =
    ["/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins", "/usr/local/nagios/libexec"];

/// Plugins of Debian's `monitoring-plugins-basic`; the other well-known ones are in `monitoring-plugins-standard`.
const BASIC: &[&str] = &[
    "apt",
    "by_ssh",
    "clamd",
    "cluster",
    "dhcp",
    "disk",
    "dummy",
    "file_age",
    "ftp",
    "host",
    "http",
    "icmp",
    "ide_smart",
    "imap",
    "ircd",
    "jabber",
    "load",
    "log",
    "mrtg",
    "mrtgtraf",
    "nagios",
    "nntp",
    "nntps",
    "nt",
    "ntp",
    "ntp_peer",
    "ntp_time",
    "nwstat",
    "overcr",
    "ping",
    "pop",
    "procs",
    "real",
    "rta_multi",
    "sensors",
    "simap",
    "smtp",
    "spop",
    "ssh",
    "ssmtp",
    "swap",
    "tcp",
    "time",
    "udp",
    "ups",
    "users",
];

const STANDARD: &[&str] = &[
    "breeze",
    "dbi",
    "dig",
    "disk_smb",
    "dns",
    "flexlm",
    "fping",
    "game",
    "hpjd",
    "ifoperstatus",
    "ifstatus",
    "ldap",
    "ldaps",
    "mailq",
    "mysql",
    "mysql_query",
    "oracle",
    "pgsql",
    "radius",
    "rpc",
    "snmp",
    "wave",
];

/// The four states of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        }
    }
}

/// Runs the plugin. OK passes, and WARNING when `warning_passes`.
pub(super) fn ask(
    command: &[String],
    environment: &BTreeMap<String, String>,
    warning_passes: bool,
    timeout: Duration,
) -> Answer {
    let Some((name, arguments)) = command.split_first() else {
        return Answer::failed("UNKNOWN: no plugin is named");
    };
    let Some(program) = find(name) else {
        return Answer::failed(&format!("UNKNOWN: {}", missing(name)));
    };
    let mut command = Command::new(&program);
    command.args(arguments).env_clear().envs(environment).current_dir("/");
    let finished = match child::run(&mut command, timeout, MAX_OUTPUT) {
        Ok(finished) => finished,
        Err(error) => {
            return Answer::failed(&format!("UNKNOWN: {} could not be started: {error}", program.display()));
        }
    };
    judge(finished, warning_passes, timeout)
}

/// What the end and the words of a plugin mean.
pub(super) fn judge(finished: Finished, warning_passes: bool, timeout: Duration) -> Answer {
    let (state, explanation) = match finished.ended {
        Ended::Code(0) => (State::Ok, None),
        Ended::Code(1) => (State::Warning, None),
        Ended::Code(2) => (State::Critical, None),
        Ended::Code(3) => (State::Unknown, None),
        Ended::TimedOut => (State::Unknown, Some(format!("the plugin did not end within {timeout:?}"))),
        Ended::Code(code) => {
            (State::Unknown, Some(format!("the plugin ended with exit code {code}, which is none of 0 to 3")))
        }
        how @ Ended::Signal(_) => (State::Unknown, Some(format!("the plugin {}", describe(how)))),
    };
    let output = if finished.stdout.is_empty() { finished.stderr } else { finished.stdout };
    let said = Output::parse(&output);
    let message = match (explanation, said.message.is_empty()) {
        (Some(why), true) => format!("{}: {why}", state.name()),
        (Some(why), false) => format!("{}: {why}: {}", state.name(), said.message),
        (None, true) => format!("{}: the plugin said nothing", state.name()),
        (None, false) => format!("{}: {}", state.name(), said.message),
    };
    let passed = state == State::Ok || (state == State::Warning && warning_passes);
    Answer { warning: state == State::Warning, ..Answer::new(passed, &message, said.detail.as_bytes()) }
}

/// What keeps the plugin from running on this host.
pub(super) fn obstacle(command: &[String]) -> Option<String> {
    let name = command.first()?;
    find(name).is_none().then(|| {
        let text = missing(name);
        let mut letters = text.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
    })
}

fn find(name: &str) -> Option<PathBuf> {
    let runnable = |path: &Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| runnable(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = DIRECTORIES.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    directories
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|path| runnable(path))
}

/// Why the plugin is not there, as the inside of a sentence.
fn missing(name: &str) -> String {
    if name.contains('/') {
        return format!("the plugin {name} does not exist or may not be executed");
    }
    let places = DIRECTORIES.join(", ");
    let short = name.strip_prefix("check_").unwrap_or_default();
    let package = if BASIC.contains(&short) {
        "On Debian it is in the package monitoring-plugins-basic"
    } else if STANDARD.contains(&short) {
        "On Debian it is in the package monitoring-plugins-standard"
    } else {
        "On Debian it may be in the package monitoring-plugins-contrib"
    };
    format!("the plugin {name} is neither in {places} nor on the PATH. {package}")
}

/// What a plugin said, without its performance data.
#[derive(Debug, PartialEq, Eq)]
struct Output {
    message: String,
    detail: String,
}

impl Output {
    /// The first line up to a `|` is the message, what follows it is performance data. So is, among the further
    /// lines, all that comes after the next `|`.
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let (message, _) = first.split_once('|').unwrap_or((first, ""));
        let (detail, _) = rest.split_once('|').unwrap_or((rest, ""));
        Self { message: message.trim().to_owned(), detail: detail.trim_end().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, warning_passes: bool) -> Answer {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        let environment = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
        ask(&command, &environment, warning_passes, LONG)
    }

    #[test]
    fn exit_codes_are_states_and_only_ok_passes() {
        assert!(shell("echo fine; exit 0", false).passed);
        let warning = shell("echo 'DISK low | /=90%;80'; exit 1", false);
        assert_eq!(
            (warning.passed, warning.warning, warning.message.as_str()),
            (false, true, "WARNING: DISK low")
        );
        assert!(shell("exit 1", true).passed);
        assert_eq!(shell("echo bad; exit 2", true).message, "CRITICAL: bad");
        assert_eq!(shell("echo '?'; exit 3", true).message, "UNKNOWN: ?");
        assert_eq!(shell("exit 2", true).message, "CRITICAL: the plugin said nothing");
    }

    #[test]
    fn any_other_end_is_unknown_and_explained() {
        for (script, why) in
            [("exit 4", "exit code 4"), ("exit 127", "exit code 127"), ("kill -9 $$", "signal 9")]
        {
            let answer = shell(script, true);
            assert!(
                !answer.passed && answer.message.starts_with("UNKNOWN: the plugin "),
                "{}",
                answer.message
            );
            assert!(answer.message.contains(why), "{}", answer.message);
        }
        let slow = ask(
            &["/bin/sleep".to_owned(), "60".to_owned()],
            &BTreeMap::new(),
            true,
            Duration::from_millis(100),
        );
        assert_eq!(slow.message, "UNKNOWN: the plugin did not end within 100ms");
    }

    #[test]
    fn standard_error_speaks_where_standard_output_is_silent() {
        assert_eq!(shell("echo 'no such option' >&2; exit 3", false).message, "UNKNOWN: no such option");
    }

    #[test]
    fn performance_data_is_split_off_wherever_it_stands() {
        let output = Output::parse(b"OK - all well | a=1\nline two\nline three | b=2\nc=3\n");
        assert_eq!(output, Output { message: "OK - all well".into(), detail: "line two\nline three".into() });
        assert_eq!(Output::parse(b""), Output { message: String::new(), detail: String::new() });
        assert_eq!(Output::parse(b"|x=1").message, "");
        let many: String = (0..10_000).map(|n| format!(" 'k{n}'={n}c")).collect();
        assert_eq!(Output::parse(format!("OK|{many}").as_bytes()).message, "OK");
    }

    #[test]
    fn hostile_output_stays_one_bounded_harmless_line() {
        let huge = shell("head -c 5000000 /dev/zero | tr '\\0' x; exit 0", false);
        assert!(huge.passed && huge.message.len() <= 300);
        let binary = shell("head -c 100000 /dev/urandom; exit 2", false);
        assert!(binary.message.len() <= 300 && binary.detail.len() <= 4096);
        assert!(!binary.message.chars().any(char::is_control));
        let escape = shell("printf 'a\\033[2Jb\\rc'; exit 2", false);
        assert_eq!(escape.message, "CRITICAL: a\u{fffd}[2Jb c");
        assert!(shell("yes '|' | head -n 100000; exit 0", false).passed);
    }

    #[test]
    fn a_missing_plugin_names_its_debian_package() {
        let basic = missing("check_http");
        assert!(basic.ends_with("package monitoring-plugins-basic"), "{basic}");
        assert!(missing("check_pgsql").ends_with("monitoring-plugins-standard"));
        assert!(missing("check_bofh").contains("may be in the package monitoring-plugins-contrib"));
        let answer = ask(&["check_no_such_thing".to_owned()], &BTreeMap::new(), true, LONG);
        assert!(
            !answer.passed
                && answer.message.starts_with("UNKNOWN: the plugin check_no_such_thing is neither")
        );
        assert!(
            obstacle(&["check_no_such_thing".to_owned()]).is_some_and(|text| text.starts_with("The plugin"))
        );
        assert_eq!(obstacle(&["/bin/sh".to_owned()]), None);
    }
}
