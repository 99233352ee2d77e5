//! Colours and signs. Colour never carries meaning alone; without colours or UTF-8 the words stay the same.

use std::io::IsTerminal;

/// How a stream is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    /// Whether colours may be used.
    pub(crate) colour: bool,
    /// Whether signs beyond ASCII may be used.
    pub(crate) unicode: bool,
    /// Whether the stream is a terminal.
    pub(crate) live: bool,
}

impl Paint {
    /// Standard output, by its kind and the environment (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`, the locale).
    pub(crate) fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// Standard error.
    pub(crate) fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (terminal && !dumb));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        // A locale that says otherwise is believed; no locale at all is a container, where UTF-8 is the rule.
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf") || !(locale == "c" || locale == "posix")
        });
        Self { colour, unicode, live: terminal && !dumb }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn busy(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// `good`, or its plain stand-in.
    pub(crate) fn tick(self) -> String {
        self.good(if self.unicode { "✔" } else { "ok" })
    }

    pub(crate) fn cross(self) -> String {
        self.bad(if self.unicode { "✘" } else { "!!" })
    }

    pub(crate) fn half(self) -> String {
        self.busy(if self.unicode { "◐" } else { ">" })
    }

    pub(crate) fn dot(self) -> String {
        self.dim(if self.unicode { "·" } else { "-" })
    }

    pub(crate) fn question(self) -> String {
        self.busy("?")
    }

    /// A sentence of the core, in the signs that may be used.
    pub(crate) fn spelled(self, text: &str) -> String {
        if self.unicode { text.to_owned() } else { text.replace('→', "->") }
    }

    /// From one release to another.
    pub(crate) fn arrow(self) -> &'static str {
        if self.unicode { "⇒" } else { "=>" }
    }
}
