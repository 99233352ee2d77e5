//! What a browser does as far as a server can see it: it keeps cookies, sends forms, and says where a request comes from.

use std::collections::BTreeMap;

use crate::client::Answer;
use crate::house::{House, PASSWORD};

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    house: &'a House,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Where the page is that sends a request: this server's own, unless a test says otherwise.
    pub(crate) origin: String,
    pub(crate) site: &'static str,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(house: &'a House) -> Self {
        let origin = format!("http://{}", house.address);
        Self { house, cookies: BTreeMap::new(), origin, site: "same-origin" }
    }

    /// One that has signed in.
    pub(crate) fn of(house: &'a House, name: &str) -> Self {
        let mut browser = Self::new(house);
        browser.sign_in(name, PASSWORD).is(303);
        browser
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "Accept: text/html\r\n", "")
    }

    /// Sends a form from a page, with whatever the test puts into it.
    pub(crate) fn form(&mut self, path: &str, body: &str) -> Answer {
        let from = format!("Origin: {}\r\nSec-Fetch-Site: {}\r\n", self.origin, self.site);
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.send("POST", path, &format!("{kind}{from}"), body)
    }

    /// The same, with the token that the page had.
    pub(crate) fn form_with_token(&mut self, path: &str, body: &str) -> Answer {
        let token = self.token();
        self.form(path, &format!("{body}&csrf={token}"))
    }

    /// What a script of a page sends.
    pub(crate) fn fetch(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let token = self.token();
        self.fetch_with(&token, method, path, body)
    }

    pub(crate) fn fetch_with(&mut self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let from = format!("Origin: {}\r\nSec-Fetch-Site: {}\r\n", self.origin, self.site);
        self.send(
            method,
            path,
            &format!("X-CSRF-Token: {token}\r\nContent-Type: application/json\r\n{from}"),
            body,
        )
    }

    /// The token that stands in the forms of a page.
    pub(crate) fn token(&mut self) -> String {
        let page = self.get("/settings/access").is(200).body;
        let rest =
            page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no token in {page}")).1;
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let (name, password) = (encoded(name), encoded(password));
        self.form("/sign-in", &format!("name={name}&password={password}&to=%2F"))
    }

    /// Whom the server takes it for; nobody when it is asked to say who it is.
    pub(crate) fn who(&mut self) -> Option<String> {
        let me = self.send("GET", "/v1/me", "", "");
        match me.status {
            200 => Some(me.json()["name"].as_str().unwrap().to_owned()),
            401 => None,
            _ => panic!("this tells of nobody: {me:?}"),
        }
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = match cookies.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", cookies.join("; ")),
        };
        let answer = self.house.ask(method, path, &format!("{cookie}{lines}"), body);
        for set in answer.headers("set-cookie") {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// A value as a form sends it.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
