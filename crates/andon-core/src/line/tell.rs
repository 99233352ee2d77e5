//! Who is told when something needs people, and by which ways. Secrets stand here by their names only.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Line;
use crate::name::SecretName;

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tell {
    /// What sends mail; `None` sends none.
    pub mail: Option<MailServer>,
    /// Whether the author of a bad change gets a mail.
    pub author: bool,
    /// Who gets every mail.
    pub to: Vec<MailAddress>,
    /// Where the team reads along.
    pub team: Vec<Hook>,
}

impl Tell {
    /// Everybody whom any of these tell, each once; mail goes through the first server that any of them names.
    fn united<'a>(all: impl IntoIterator<Item = &'a Tell>) -> Option<Tell> {
        let mut all = all.into_iter();
        let mut united = all.next()?.clone();
        for more in all {
            united.mail = united.mail.or_else(|| more.mail.clone());
            united.author |= more.author;
            united
                .to
                .extend(more.to.iter().filter(|to| !united.to.contains(to)).cloned().collect::<Vec<_>>());
            let hooks: Vec<Hook> =
                more.team.iter().filter(|hook| !united.team.contains(hook)).cloned().collect();
            united.team.extend(hooks);
        }
        Some(united)
    }
}

impl Line {
    /// Everybody whom any of its services tells.
    pub fn everybody(&self) -> Option<Tell> {
        Tell::united(self.services.values().filter_map(|service| service.tell.as_ref()))
    }
}

/// A server that takes mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who the mail is from.
    pub sender: MailAddress,
    /// As whom to log in; `None` does not.
    pub login: Option<Login>,
    /// Whether STARTTLS is demanded. Only a server on this machine may do without.
    pub tls: bool,
    /// Certificates in PEM that are trusted instead of those of the system.
    #[serde(default)]
    pub ca: Option<String>,
}

/// A user and where the password is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The name of the user.
    pub user: String,
    /// The name of the password.
    pub password: SecretName,
}

/// A place on the web that takes messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What it understands.
    pub form: HookForm,
    /// Where it is.
    pub url: HookUrl,
    /// What messages are signed with; `None` signs nothing.
    pub secret: Option<SecretName>,
    /// Certificates in PEM that are trusted instead of those of the system.
    #[serde(default)]
    pub ca: Option<String>,
}

/// What a hook understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookForm {
    /// `{"text": …}`, as Slack, Mattermost and Rocket.Chat take it.
    Slack,
    /// Everything, for programs.
    Json,
}

/// The address of a hook. Whoever knows the one of a chat can write there, so it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookUrl {
    /// As it stands in the line.
    Said(String),
    /// Found when it is used.
    Secret(SecretName),
}

/// Why a text is no address of a hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookUrlError {
    /// Neither `https://` nor `http://`, or with blanks, a user or no host.
    #[error("this is not a URL like https://chat.example.com/hooks/andon")]
    Malformed,
    /// Not encrypted, and not on this machine.
    #[error("http:// is for this machine alone (127.0.0.1, [::1], localhost); elsewhere use https://")]
    InClear,
}

/// Checks the address of a hook, and gives its host with the port if it names one.
///
/// # Errors
/// It is no URL, or it would send messages over the network in clear.
pub fn hook_host(url: &str) -> Result<&str, HookUrlError> {
    let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(HookUrlError::Malformed),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let printable = url.bytes().all(|byte| byte.is_ascii_graphic());
    // Browsers and libraries read a backslash as a slash, and what stands before an @ as a user.
    if authority.is_empty() || !printable || url.contains('\\') || authority.contains('@') {
        return Err(HookUrlError::Malformed);
    }
    let host = host_of(authority);
    match (tls, is_this_machine(host)) {
        _ if host.is_empty() => Err(HookUrlError::Malformed),
        (false, false) => Err(HookUrlError::InClear),
        _ => Ok(authority),
    }
}

/// The host of an address that may have a port, without the brackets of one of IPv6.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(inner) => inner.split_once(']').map_or("", |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

/// Whether an address, with or without a port, means this machine.
pub fn leads_to_this_machine(authority: &str) -> bool {
    is_this_machine(host_of(authority))
}

/// Whether a name or an address means this machine.
pub fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address of a mailbox. It holds nothing that could begin another header or another recipient.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

/// A text that is no address of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a mail address like ana@example.com")]
pub struct MailAddressError;

impl MailAddress {
    /// Checks a text. What RFC 5321 allows only in quotation marks is not taken.
    ///
    /// # Errors
    /// The text is something else.
    pub fn new(text: impl Into<String>) -> Result<Self, MailAddressError> {
        let text = text.into();
        let (user, domain) = text.rsplit_once('@').ok_or(MailAddressError)?;
        let in_user = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
        let label = |label: &str| {
            let edges = label.starts_with('-') || label.ends_with('-');
            !label.is_empty() && !edges && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let well = (1..=64).contains(&user.len()) && user.chars().all(in_user) && dots(user);
        if !well || text.len() > 254 || !domain.split('.').all(label) {
            return Err(MailAddressError);
        }
        Ok(Self(text))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl TryFrom<String> for MailAddress {
    type Error = MailAddressError;
    fn try_from(text: String) -> Result<Self, MailAddressError> {
        Self::new(text)
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> String {
        address.0
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names_with_and_without_a_port() {
        for here in ["localhost", "localhost:80", "127.0.0.1", "127.0.0.1:8420", "[::1]", "[::1]:8420"] {
            assert!(leads_to_this_machine(here), "{here}");
        }
        for elsewhere in ["", "example.com", "localhost.example.com:80", "10.0.0.1", "[::2]:80", "[::1", "[]"]
        {
            assert!(!leads_to_this_machine(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn an_address_cannot_bring_a_header_or_a_second_recipient() {
        for good in ["ana@example.com", "a.b+c@mail.example.co.uk", "root@localhost"] {
            assert!(MailAddress::new(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@example..com",
            "ana@-example.com",
            ".ana@example.com",
            "ana@example.com\r\nBcc: eve@example.com",
            "ana@example.com, eve@example.com",
            "<ana@example.com>",
            "\"a b\"@example.com",
            "-oX\u{0}@example.com",
            &long,
        ] {
            assert!(MailAddress::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_hook_is_encrypted_or_on_this_machine() {
        assert_eq!(hook_host("https://hooks.slack.com/services/T0/B0/x"), Ok("hooks.slack.com"));
        assert_eq!(hook_host("http://127.0.0.1:8080/x"), Ok("127.0.0.1:8080"));
        assert_eq!(hook_host("http://[::1]:8080"), Ok("[::1]:8080"));
        assert_eq!(hook_host("http://chat.example.com/"), Err(HookUrlError::InClear));
        assert_eq!(hook_host("http://127.0.0.1.example.com/"), Err(HookUrlError::InClear));
        let bad = [
            "chat.example.com",
            "ftp://x",
            "https://",
            "https:///x",
            "https://a b/",
            "http://127.0.0.1\\@x/",
        ];
        for bad in bad.into_iter().chain(["http://127.0.0.1@example.com/", "https://:443/"]) {
            assert_eq!(hook_host(bad), Err(HookUrlError::Malformed), "{bad}");
        }
    }
}
