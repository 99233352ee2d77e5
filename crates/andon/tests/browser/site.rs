//! A project whose server runs, and a browser that looks at it.

use andon_testbed::Browser;
use andon_testbed::deadline::wait_until;

use crate::project::{LIMIT, Project, Running};

/// A project, its server, and a browser.
pub(crate) struct Site {
    pub(crate) browser: Browser,
    address: String,
    pub(crate) project: Project,
}

impl Site {
    /// The server of a project, and a browser that has not gone anywhere yet.
    pub(crate) fn of(project: Project) -> Self {
        Self::at(project, "127.0.0.1:0", &[])
    }

    /// The same at this address, with more words for the server.
    pub(crate) fn at(project: Project, address: &str, words: &[&str]) -> Self {
        let mut all = vec!["server", "--listen", address];
        all.extend(words);
        let mut server = project.start(&all);
        let address = answers_at(&mut server);
        Self { browser: Browser::start().unwrap(), address, project }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Goes to a path.
    pub(crate) fn go(&self, path: &str) {
        self.browser.go(&self.url(path)).unwrap();
    }

    /// Where the browser is, as a path with its query.
    pub(crate) fn path(&self) -> String {
        let url = self.browser.url().unwrap();
        url.strip_prefix(&self.address).unwrap_or(&url).to_owned()
    }

    /// Waits until the page shows these words.
    #[track_caller]
    pub(crate) fn until_says(&self, words: &str) {
        self.browser.until_says(words).unwrap();
    }

    /// Insists that no page has complained so far: no error, nothing missing, nothing that the policy forbade.
    #[track_caller]
    pub(crate) fn quiet(&self) {
        assert_eq!(self.browser.complaints().unwrap(), [""; 0]);
    }
}

/// Waits until the server says where it answers.
fn answers_at(server: &mut Running) -> String {
    let mut address = None;
    wait_until(LIMIT, || {
        let said = server.complained() + &server.said();
        let found = said.split_once("answers on ").and_then(|(_, rest)| rest.split_once('\n'));
        address = found.map(|(address, _)| address.trim().to_owned());
        address.is_some() || server.has_ended()
    });
    address.unwrap_or_else(|| panic!("no server: {}", server.complained()))
}
