//! What matters here of nginx's configuration as `nginx -T` shows it: where the master's number is kept, and in what
//! form an access log is written.

use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// The most words of one directive that are kept.
const MAX_WORDS: usize = 256;

/// What comes before the name of each file in the output.
const FILE: &str = "\n# configuration file ";

/// The directives of a configuration, in order and without regard to their blocks.
#[derive(Debug)]
pub(super) struct Dump {
    directives: Vec<Vec<String>>,
}

impl Dump {
    /// Reads the output of `nginx -T`. Never fails: what is no configuration has no directives.
    pub(super) fn parse(text: &str) -> Self {
        // File by file: code of another language with an open quote in it spoils its own file only.
        let (first, more) = text.split_once(FILE).unwrap_or((text, ""));
        let named = more.split(FILE).filter_map(|file| file.split_once('\n'));
        let files = std::iter::once(first).chain(named.map(|(_, text)| text));
        Self { directives: files.flat_map(directives).collect() }
    }

    /// The path of the file with the master's number, as it is written there.
    pub(super) fn pid(&self) -> Option<&str> {
        self.named("pid").find_map(|words| words.get(1)).map(String::as_str)
    }

    /// The formats in which the log at `path` is written: the names, each once. Relative paths are below `prefix`.
    pub(super) fn formats_of(&self, path: &Path, prefix: &Path) -> Vec<&str> {
        let mut names = Vec::new();
        for words in
            self.named("access_log").filter(|words| words.len() > 1 && prefix.join(&words[1]) == path)
        {
            let name = words.get(2).filter(|word| !word.contains('=')).map_or("combined", String::as_str);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The format with this name, as it stands in the configuration: an `escape=…` and the text.
    pub(super) fn format(&self, name: &str) -> Option<(Option<&str>, String)> {
        let words = self.named("log_format").find(|words| words.get(1).is_some_and(|word| word == name))?;
        let escape = words.get(2).and_then(|word| word.strip_prefix("escape="));
        Some((escape, words.iter().skip(2 + usize::from(escape.is_some())).map(String::as_str).collect()))
    }

    fn named<'d>(&'d self, name: &'d str) -> impl Iterator<Item = &'d Vec<String>> {
        self.directives.iter().filter(move |words| words.first().is_some_and(|word| word == name))
    }
}

/// The value of an option in the output of `nginx -V`.
pub(super) fn built_option(text: &str, option: &str) -> Option<PathBuf> {
    let word = text.split_ascii_whitespace().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
    word.map(PathBuf::from)
}

/// Words until `;`, `{` or `}`. Quotes hold words together; a backslash takes the next letter as it is.
fn directives(text: &str) -> Vec<Vec<String>> {
    let (mut found, mut words, mut letters) = (Vec::new(), Vec::new(), text.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            ';' | '{' | '}' => found.push(std::mem::take(&mut words)),
            '#' => while letters.next_if(|letter| *letter != '\n').is_some() {},
            '"' | '\'' => {
                let mut word = String::new();
                while let Some(inner) = letters.next().filter(|inner| *inner != letter) {
                    push(inner, &mut letters, &mut word);
                }
                words.push(word);
            }
            letter if letter.is_whitespace() => {}
            mut letter => {
                let (mut word, mut open) = (String::new(), false);
                loop {
                    let before = word.len();
                    push(letter, &mut letters, &mut word);
                    // `${name}` is one word. Only what is new is looked at: a word may be as long as the text.
                    let (old, new) = word.split_at(before);
                    for (at, letter) in new.char_indices() {
                        let last = new.get(..at).filter(|new| !new.is_empty()).unwrap_or(old);
                        open = letter != '}' && (open || (letter == '{' && last.ends_with('$')));
                    }
                    let braced = open || word.ends_with('$');
                    let ends = |next: &char| {
                        next.is_whitespace() || *next == ';' || (matches!(next, '{' | '}') && !braced)
                    };
                    match letters.next_if(|next| !ends(next)) {
                        Some(next) => letter = next,
                        None => break,
                    }
                }
                words.push(word);
            }
        }
        words.truncate(MAX_WORDS);
    }
    found.retain(|words| !words.is_empty());
    found
}

/// Adds a letter to a word, or what nginx makes of a backslash and the letter after it. Before a letter that needs
/// none, the backslash stays.
fn push(letter: char, letters: &mut Peekable<Chars<'_>>, word: &mut String) {
    match (letter, letters.peek()) {
        ('\\', Some('t')) => word.push('\t'),
        ('\\', Some('r')) => word.push('\r'),
        ('\\', Some('n')) => word.push('\n'),
        ('\\', Some(plain @ ('"' | '\'' | '\\'))) => word.push(*plain),
        ('\\', Some(other)) => word.extend(['\\', *other]),
        (letter, _) => return word.push(letter),
    }
    letters.next();
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"# configuration file /etc/nginx/nginx.conf:
user www-data; # pid /wrong;
pid /run/nginx.pid;
http {
    log_format timed escape=json '{"to":"$upstream_addr",'
                                 '"status":$status}';
    log_format plain "$remote_addr \"$request\" ${status}\t" '$upstream_addr';
    access_log /var/log/nginx/access.log timed buffer=32k;
    server { location / { content_by_lua_block { say("it's") } access_log logs/other.log; } }
}

# configuration file /etc/nginx/conf.d/more.conf:
server { access_log /var/log/nginx/more.log plain; access_log /var/log/nginx/access.log buffer=1k; }
"#;

    #[test]
    fn the_format_of_a_log_is_found_by_its_path() {
        let dump = Dump::parse(CONFIGURATION);
        assert_eq!(dump.pid(), Some("/run/nginx.pid"));
        let formats = |path: &str| dump.formats_of(Path::new(path), Path::new("/usr/share/nginx"));
        assert_eq!(formats("/var/log/nginx/access.log"), ["timed", "combined"]);
        assert_eq!(
            formats("/var/log/nginx/more.log"),
            ["plain"],
            "although the file before has an open quote"
        );
        assert_eq!(formats("/nowhere"), Vec::<&str>::new());
        let text = r#"{"to":"$upstream_addr","status":$status}"#;
        assert_eq!(dump.format("timed"), Some((Some("json"), text.to_owned())));
        let text = "$remote_addr \"$request\" ${status}\t$upstream_addr";
        assert_eq!(dump.format("plain"), Some((None, text.to_owned())));
        assert_eq!(dump.format("combined"), None);
        let dump = Dump::parse("access_log logs/a.log ${x}y;");
        assert_eq!(dump.formats_of(Path::new("/p/logs/a.log"), Path::new("/p")), ["${x}y"]);
    }

    #[test]
    fn what_is_no_configuration_has_no_directives_and_does_no_harm() {
        for text in ["", "{{{{", "'", "\\", "a \\", "$", "}\u{7f}é\0;;;", "\"\\"] {
            assert_eq!(Dump::parse(text).pid(), None, "{text:?}");
        }
    }

    #[test]
    fn a_word_as_long_as_the_text_takes_no_longer_than_many_words() {
        let text = format!("pid {};", "a".repeat(4 << 20));
        assert_eq!(Dump::parse(&text).pid().map(str::len), Some(4 << 20));
        assert_eq!(
            Dump::parse(&format!("pid {};", "${x}".repeat(1 << 20))).pid().map(str::len),
            Some(4 << 20)
        );
    }

    #[test]
    fn the_options_of_the_build_are_found() {
        let text = "configure arguments: --prefix=/usr/share/nginx --pid-path=/run/nginx.pid";
        assert_eq!(built_option(text, "--pid-path"), Some(PathBuf::from("/run/nginx.pid")));
        assert_eq!(built_option(text, "--user"), None);
    }
}
