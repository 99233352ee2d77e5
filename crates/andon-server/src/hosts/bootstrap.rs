//! The first words with a host over ssh: find our agent there, or send it once, then start it.
//!
//! A small shell script runs on the host. Everything that the host prints before the script's own marker (a banner,
//! a talkative `.bashrc`) is noise and dropped. The marker holds a number that no host can know beforehand.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use andon_core::legible::neutral;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::HostError;
use super::agents::Agents;
use super::conversation::{Conversation, piped};
use crate::ssh::{Failure, SshOptions, SshTarget};

/// Noise that is borne before the marker, in bytes.
const MAX_NOISE: u64 = 256 * 1024;
/// How long a host may take until the agent runs, a slow link and a full send included.
const PATIENCE: Duration = Duration::from_secs(120);

/// The script that runs on the host. Its words to us: `ready`, `need ARCH`, `none ARCH`, `fail WHY`.
///
/// An agent that is there is believed when it denies a digest that is none and confirms its own: what a power cut
/// leaves of a file may be empty, and a shell takes an empty file for a program that succeeds.
fn script(marker: &str, agents: &Agents, sudo: bool) -> String {
    let mut cases = String::new();
    for (arch, agent) in agents.by_arch() {
        // Architectures come from file names that we chose to read; keep only what a shell cannot misread.
        if arch.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let _ = write!(cases, "{arch}) g={};; ", agent.digest);
        }
    }
    let sudo = if sudo { "sudo -n " } else { "" };
    format!(
        r#"m={marker}; h=$(uname -m); case "$h" in {cases}*) echo; echo "$m none $h"; exit 0;; esac
d="${{XDG_CACHE_HOME:-${{HOME:-/nonexistent}}/.cache}}/andon"; a="$d/agent-$g"
run() {{ echo; echo "$m ready"; exec {sudo}"$a" stdio; }}
[ -x "$a" ] && ! "$a" verify-self - >/dev/null 2>&1 && "$a" verify-self "$g" >/dev/null 2>&1 && run
fail() {{ echo; echo "$m fail $1"; exit 0; }}
t="$a.$$"; w=$( (umask 077; mkdir -p "$d" && : > "$t") 2>&1) || fail "$w"
echo; echo "$m need $h"; read -r n || exit 0
w=$( (head -c "$n" | gzip -dc > "$t") 2>&1) && w=$(chmod 700 "$t" 2>&1) && w=$("$t" verify-self "$g" 2>&1) && mv -f "$t" "$a" && run
rm -f "$t"; fail "the agent did not arrive whole: $w""#
    )
}

/// Opens a conversation with the agent on a host, sending the agent first where it is missing.
pub(super) async fn open(
    ssh: &SshOptions,
    target: &SshTarget,
    sudo: bool,
    agents: &Agents,
) -> Result<Conversation, HostError> {
    ssh.prepare().map_err(|error| HostError::Unable(error.to_string()))?;
    let marker = marker();
    let remote = format!("exec /bin/sh -c {}", quote(&script(&marker, agents, sudo)));
    let mut command = ssh.command(target, &remote);
    let mut child = piped(&mut command)
        .spawn()
        .map_err(|error| HostError::Unable(format!("ssh cannot be started: {error}")))?;
    let (stdin, stdout) = match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => (stdin, stdout),
        _ => return Err(HostError::Unable("the pipes to ssh are missing".to_owned())),
    };
    let (asked, config) = (target.clone(), ssh.config.clone());
    let explain = move |said: &str| explain(&asked, config.as_deref(), said);
    let greeted = tokio::time::timeout(PATIENCE, greet(stdin, stdout, &marker, agents)).await;
    match greeted {
        Ok(Ok((stdin, stdout))) => {
            child.stdin = Some(stdin);
            child.stdout = Some(stdout);
            Conversation::open(child, explain).await
        }
        Ok(Err(Greeting::Said(why))) => Err(HostError::Unreachable(why)),
        Ok(Err(Greeting::Silent)) => Err(HostError::Unreachable(explain(&last_words(child).await))),
        Err(_) => {
            Err(HostError::Unreachable(format!("it did not start the agent within {} s", PATIENCE.as_secs())))
        }
    }
}

enum Greeting {
    /// The script, or we, know why it cannot be.
    Said(String),
    /// The connection ended without a word of the script: what ssh wrote says why.
    Silent,
}

async fn greet(
    mut stdin: ChildStdin,
    stdout: ChildStdout,
    marker: &str,
    agents: &Agents,
) -> Result<(ChildStdin, ChildStdout), Greeting> {
    // A one-byte buffer: not a byte of the agent's own words may be swallowed.
    let mut stdout = BufReader::with_capacity(1, stdout);
    loop {
        let word = next_word(&mut stdout, marker).await?;
        let (verb, rest) = word.split_once(' ').unwrap_or((word.as_str(), ""));
        match verb {
            "ready" => return Ok((stdin, stdout.into_inner())),
            "need" => {
                let agent = agents.by_arch().get(rest);
                let agent = agent.ok_or_else(|| Greeting::Said(agents.missing(&legible(rest))))?;
                let size = format!("{}\n", agent.gzipped.len());
                stdin.write_all(size.as_bytes()).await.map_err(|_| Greeting::Silent)?;
                stdin.write_all(&agent.gzipped).await.map_err(|_| Greeting::Silent)?;
                stdin.flush().await.map_err(|_| Greeting::Silent)?;
            }
            "none" => return Err(Greeting::Said(agents.missing(&legible(rest)))),
            _ => return Err(Greeting::Said(format!("the agent cannot be kept there: {}", legible(rest)))),
        }
    }
}

/// The rest of the next line that begins with the marker.
async fn next_word(
    from: &mut (impl AsyncRead + AsyncBufReadExt + Unpin),
    marker: &str,
) -> Result<String, Greeting> {
    let mut noise = from.take(MAX_NOISE);
    let mut line = Vec::new();
    loop {
        line.clear();
        match noise.read_until(b'\n', &mut line).await {
            Ok(1..) if line.ends_with(b"\n") => {}
            Ok(_) if noise.limit() == 0 => {
                return Err(Greeting::Said("it prints without end before the agent could start".to_owned()));
            }
            _ => return Err(Greeting::Silent),
        }
        let text = String::from_utf8_lossy(&line);
        if let Some(word) = text.trim_end().strip_prefix(marker) {
            return Ok(word.trim_start().to_owned());
        }
    }
}

async fn last_words(mut child: Child) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut bounded = stderr.take(8192);
        // A shared connection's master may keep the pipe open; what was said until then is enough.
        let _ = tokio::time::timeout(Duration::from_secs(5), bounded.read_to_end(&mut said)).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// What went wrong, from what ssh, sudo or the shell wrote.
fn explain(target: &SshTarget, config: Option<&Path>, said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| line.starts_with("sudo:"));
    if let Some(line) = line {
        return format!(
            "sudo wants something there ({}); allow NOPASSWD for this user, or take sudo off",
            legible(line)
        );
    }
    if said.trim().is_empty() {
        return "it closed the connection without a word: does its login shell run commands, and is there /bin/sh?"
            .to_owned();
    }
    let failure = Failure::from_stderr(said);
    format!("{failure}. {}", failure.next(target, config))
}

fn legible(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    neutral(line.as_bytes()).chars().take(300).collect()
}

/// Quotes for any shell that knows single quotes.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Unpredictable to the host, so that nothing it prints by itself can be taken for our script's words.
fn marker() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("andon-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn noise_before_the_marker_is_dropped() {
        let noise = b"Welcome to web1!\r\nandon-0 ready\nLast login: never\n\nandon-42 need x86_64\n";
        let mut from = BufReader::with_capacity(1, &noise[..]);
        assert_eq!(next_word(&mut from, "andon-42").await.ok().as_deref(), Some("need x86_64"));
    }

    #[tokio::test]
    async fn a_host_that_prints_without_end_is_given_up() {
        let mut from = BufReader::with_capacity(1, tokio::io::repeat(b'y'));
        assert!(matches!(next_word(&mut from, "andon-42").await, Err(Greeting::Said(_))));
    }

    #[test]
    fn a_password_prompt_of_sudo_is_recognised() {
        let target = SshTarget { address: "web1".into(), user: None, port: None };
        assert!(explain(&target, None, "sudo: a password is required\n").contains("NOPASSWD"));
    }
}
