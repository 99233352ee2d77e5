//! The file with an upstream's servers: what it says, and what it is to say. Pure text; touches no file.

use std::collections::{BTreeMap, BTreeSet};

use andon_core::balance::{Pool, Server, Traffic, Wishes};
use andon_core::name::ServerName;

/// The line by which a person hands a file over as it stands.
pub(super) const ADOPT: &str = "# andon: adopt";

/// The weight of a server that gets its full share.
const FULL: u32 = 100;

/// The greatest weight that is read.
const MAX_WEIGHT: u32 = 1_000_000;

/// The servers of an upstream, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Include {
    /// One for each `server` of nginx.
    pub(super) lines: Vec<Line>,
}

/// One `server` of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its name among people, kept in a comment.
    pub(super) name: ServerName,
    /// As nginx has it: an address, or an IPv6 address in brackets, or a name; and the port.
    pub(super) place: String,
    /// Its share while it is in: 1 to 100, or what a person wrote.
    pub(super) weight: u32,
    /// Whether nginx sends it nothing new.
    pub(super) down: bool,
}

impl Line {
    fn new(server: &Server) -> Self {
        Self { name: server.name.clone(), place: place(server), weight: FULL, down: false }
    }

    fn set(&mut self, traffic: Traffic) {
        match traffic {
            Traffic::In(share) => (self.weight, self.down) = (u32::from(share).clamp(1, FULL), false),
            Traffic::Out | Traffic::Cut => self.down = true,
        }
    }
}

impl Include {
    /// Reads `text`, which may have been edited. A server without a name in its comment is known by its place.
    ///
    /// # Errors
    /// One clause about the first line that says more than this type can keep.
    pub(super) fn parse(text: &str, pool: &Pool) -> Result<Self, String> {
        let (mut lines, mut names) = (Vec::new(), BTreeSet::new());
        let places: BTreeMap<String, &ServerName> =
            pool.servers.iter().map(|server| (place(server), &server.name)).collect();
        for (number, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let line = parse_line(text, &places).map_err(|why| format!("line {}: {why}", number + 1))?;
            if !names.insert(line.name.clone()) {
                return Err(format!("line {}: {} stands there twice", number + 1, line.name));
            }
            lines.push(line);
        }
        Ok(Self { lines })
    }

    /// What the file is to say, where it says `present`. Servers that nothing is wished of stay as they are; in a
    /// file that does not exist yet they are in, and those that are new in an old one are out.
    ///
    /// # Errors
    /// One clause about an address that nginx could misread.
    pub(super) fn wanted(present: Option<&Self>, pool: &Pool, wishes: &Wishes) -> Result<Self, String> {
        let wanted = |server: &Server| {
            let legal =
                |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
            if server.address.is_empty() || !server.address.chars().all(legal) {
                return Err(format!("{:?} is neither a name nor an address", server.address));
            }
            let mut line = Line::new(server);
            match present.map(|include| include.line(&server.name)) {
                Some(Some(old)) => (line.weight, line.down) = (old.weight, old.down),
                Some(None) => line.down = true,
                None => {}
            }
            if let Some(traffic) = wishes.get(&server.name) {
                line.set(*traffic);
            }
            Ok(line)
        };
        Ok(Self { lines: pool.servers.iter().map(wanted).collect::<Result<_, _>>()? })
    }

    /// The server with this name.
    pub(super) fn line(&self, name: &ServerName) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == *name)
    }

    /// The names of the servers that stand otherwise in `former`, or not at all.
    pub(super) fn differences<'a>(
        &'a self,
        former: Option<&'a Self>,
    ) -> impl Iterator<Item = &'a ServerName> {
        let differs = move |line: &&Line| former.and_then(|former| former.line(&line.name)) != Some(*line);
        self.lines.iter().filter(differs).map(|line| &line.name)
    }

    /// The same shares of traffic as a person wrote them, in hundredths of the greatest.
    pub(super) fn in_hundredths(mut self) -> Self {
        let greatest = self.lines.iter().map(|line| line.weight).max().unwrap_or(1).max(1);
        for line in &mut self.lines {
            line.weight = (line.weight.saturating_mul(FULL) / greatest).max(1);
        }
        self
    }

    /// The text of the file.
    pub(super) fn render(&self, upstream: &str) -> String {
        let mut text = format!(
            "# The servers of the upstream {upstream}, written by Andon.\n\
             # An edit is never overwritten: Andon shows it, and waits. To hand your edit over to Andon as it\n\
             # stands, add the line \"{ADOPT}\".\n"
        );
        for Line { name, place, weight, down } in &self.lines {
            let down = if *down { " down" } else { "" };
            text += &format!("server {place} weight={weight}{down};  # {name}\n");
        }
        text
    }
}

/// Whether `text` names no server and holds no other directive.
pub(super) fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Whether a person has handed `text` over.
pub(super) fn is_handed_over(text: &str) -> bool {
    text.lines().any(|line| line.trim() == ADOPT)
}

/// Where nginx reaches a server.
fn place(server: &Server) -> String {
    let Server { address, port, .. } = server;
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn parse_line(text: &str, places: &BTreeMap<String, &ServerName>) -> Result<Line, String> {
    let (directive, rest) = text.split_once(';').ok_or("no directive of one line")?;
    let mut words = directive.split_ascii_whitespace();
    if words.next() != Some("server") {
        return Err("no server; other directives belong beside the include".to_owned());
    }
    let place = words.next().ok_or("a server without an address")?;
    let (mut weight, mut down) = (1, false);
    for word in words {
        match (word, word.strip_prefix("weight=").map(str::parse::<u32>)) {
            ("down", _) => down = true,
            (_, Some(Ok(share @ 1..=MAX_WEIGHT))) => weight = share,
            (_, Some(_)) => return Err(format!("{word} is no weight of 1 to {MAX_WEIGHT}")),
            _ => return Err(format!("{word} is a parameter that Andon does not keep")),
        }
    }
    let said = match rest.trim().strip_prefix('#') {
        Some(comment) => ServerName::new(comment.trim()).ok(),
        None if rest.trim().is_empty() => None,
        None => return Err("more than one directive in a line".to_owned()),
    };
    let name = said
        .or_else(|| places.get(place).map(|name| (*name).clone()))
        .ok_or_else(|| format!("no server of the service is at {place}; name it in a comment at the end"))?;
    Ok(Line { name, place: place.to_owned(), weight, down })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::nginx::fixture;

    fn pool() -> Pool {
        fixture::pool(&[("web1", 8001), ("web2", 8002), ("web3", 8003)])
    }

    fn wishes(all: &[(&str, Traffic)]) -> Wishes {
        all.iter().map(|(name, traffic)| (ServerName::new(*name).unwrap(), *traffic)).collect()
    }

    #[test]
    fn in_a_new_file_all_are_in_that_are_not_wished_out() {
        let new = Include::wanted(None, &pool(), &wishes(&[("web2", Traffic::Out)])).unwrap();
        let text = new.render("www");
        assert!(
            text.ends_with(
                "server 127.0.0.1:8001 weight=100;  # web1\n\
                 server 127.0.0.1:8002 weight=100 down;  # web2\n\
                 server 127.0.0.1:8003 weight=100;  # web3\n"
            ),
            "{text}"
        );
        assert_eq!(Include::parse(&text, &pool()), Ok(new));
    }

    #[test]
    fn in_an_old_file_all_stay_but_those_wished_new_ones_are_out_and_strangers_leave() {
        let old = "server 127.0.0.1:8001 weight=30 down; # web1\nserver 10.0.0.9:1; # old\n";
        let old = Include::parse(old, &pool()).unwrap();
        let wanted = Include::wanted(Some(&old), &pool(), &wishes(&[("web2", Traffic::In(5))])).unwrap();
        let seen: Vec<(&str, u32, bool)> =
            wanted.lines.iter().map(|line| (line.name.as_str(), line.weight, line.down)).collect();
        assert_eq!(seen, [("web1", 30, true), ("web2", 5, false), ("web3", 100, true)]);
    }

    #[test]
    fn a_server_without_a_comment_is_known_by_its_place() {
        let read = Include::parse("\n  server 127.0.0.1:8003 down;\n", &pool()).unwrap();
        assert_eq!((read.lines[0].name.as_str(), read.lines[0].weight), ("web3", 1));
    }

    #[test]
    fn a_person_s_weights_keep_their_proportion() {
        let weights = |text: &str| -> Vec<u32> {
            let include = Include::parse(text, &pool()).unwrap().in_hundredths();
            include.lines.iter().map(|line| line.weight).collect()
        };
        assert_eq!(weights("server 127.0.0.1:8001;\nserver 127.0.0.1:8002;"), [100, 100]);
        assert_eq!(weights("server 127.0.0.1:8001;\nserver 127.0.0.1:8002 weight=5;"), [20, 100]);
        assert_eq!(weights("server 127.0.0.1:8001 weight=1;\nserver 127.0.0.1:8002 weight=999;"), [1, 100]);
        assert_eq!(weights("# nobody"), Vec::<u32>::new());
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        for (text, word) in [
            ("server 127.0.0.1:8001 max_fails=3; # web1", "max_fails=3"),
            ("\nkeepalive 16;", "line 2"),
            ("server 127.0.0.1:8001 weight=0;", "weight=0"),
            ("server 127.0.0.1:8001; server 127.0.0.1:8002;", "more than one"),
            ("server 127.0.0.1:8001;\nserver 127.0.0.1:8001;", "twice"),
            ("server 10.0.0.7:80;", "10.0.0.7:80"),
            ("server 127.0.0.1:8001", "one line"),
            ("server ;", "without an address"),
        ] {
            let refused = Include::parse(text, &pool()).unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }

    #[test]
    fn an_address_cannot_smuggle_a_directive_in() {
        for address in ["a;}", "a b", "$host", "\"a\"", "a\n", "a#", "", "unix:/x"] {
            let mut pool = pool();
            pool.servers[0].address = address.to_owned();
            assert!(Include::wanted(None, &pool, &BTreeMap::new()).is_err(), "{address:?}");
        }
        let mut pool = pool();
        pool.servers[0].address = "fd00::7".to_owned();
        let wanted = Include::wanted(None, &pool, &BTreeMap::new()).unwrap();
        assert_eq!(wanted.lines[0].place, "[fd00::7]:8001");
    }

    #[test]
    fn a_file_of_very_many_servers_is_read() {
        let text: String = (0..60_000).map(|n| format!("server a:1; #{n}\n")).collect();
        assert_eq!(Include::parse(&text, &pool()).unwrap().lines.len(), 60_000);
    }

    #[test]
    fn only_the_whole_line_hands_a_file_over() {
        assert!(is_handed_over("server a:1;\n  # andon: adopt \n"));
        assert!(!is_handed_over(&Include::default().render("www")));
        assert!(is_blank(&Include::default().render("www")) && is_blank("") && !is_blank("server a:1;"));
    }
}
