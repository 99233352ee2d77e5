//! A real browser for tests: Debian's Chromium, driven through its `chromedriver`, with a profile of its own that reaches
//! nothing but loopback.
//!
//! Whatever a page complains of in the console is kept, what its security policy forbade included. It ends with its
//! value, and with the process that started it.

mod axe;
mod driver;
mod error;
mod hands;
mod look;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::deadline::wait_until;
use crate::program::{find, require};
use driver::{By, Driver};

pub use axe::RULES;
pub use error::BrowserError;
pub use hands::key;
pub use look::{Scheme, Screen};

const KEEPER: &str = include_str!("browser/keeper.sh");
/// What no wait in a page exceeds, on a machine that does much else.
pub const LIMIT: Duration = Duration::from_secs(60);
/// How often a page is looked at while somebody waits.
const GLANCE: Duration = Duration::from_millis(40);

/// The words for Chromium. The profile and the names of hosts come on top.
const WORDS: &[&str] = &[
    "--headless=new",
    // Root may not use the sandbox, and pages of tests are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication",
    "--force-color-profile=srgb",
    "--lang=en-GB",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--password-store=basic",
    "--window-size=1280,800",
    // Whatever it would like to tell somebody on the network, it finds nobody.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// A running browser with one window.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    complaints: RefCell<Vec<String>>,
    _keeper: Keeper,
}

/// The process that ends the browser with all that belongs to it, when its standard input ends.
#[derive(Debug)]
struct Keeper(Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Starts one with an empty profile, on a desktop, in light.
    ///
    /// # Errors
    /// [`BrowserError`] says what is missing or did not start.
    pub fn start() -> Result<Self, BrowserError> {
        require(&["chromium", "chromedriver", "grep", "sed"])?;
        let directory = tempfile::Builder::new()
            .prefix("andon-browser-")
            .tempdir()
            .map_err(BrowserError::io("make a temporary directory"))?;
        let log = directory.path().join("log");
        let file = File::create(&log).map_err(BrowserError::io("make a log"))?;
        let place = directory.path();
        let mut child = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(place)
            .args(["chromedriver", "--port=0"])
            .env("ANDON_BROWSER", place)
            .envs([("HOME", place), ("XDG_CONFIG_HOME", place), ("XDG_CACHE_HOME", place), ("TMPDIR", place)])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stderr(file.try_clone().map_err(BrowserError::io("share a log"))?)
            .stdout(file)
            .spawn()
            .map_err(BrowserError::io("start chromedriver"))?;
        let mut port = None;
        wait_until(LIMIT, || {
            port = port_of(&fs::read_to_string(&log).unwrap_or_default());
            port.is_some() || !matches!(child.try_wait(), Ok(None))
        });
        let keeper = Keeper(child);
        let Some(port) = port else {
            return Err(BrowserError::NotStarted { log: fs::read_to_string(&log).unwrap_or_default() });
        };
        let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
        let words = WORDS.iter().map(|word| (*word).to_owned()).chain([profile]).collect::<Vec<_>>();
        let driver = Driver::open(port, &binary().display().to_string(), &words)?;
        // The keeper removes it, also when nobody is left to drop it.
        let _ = directory.keep();
        let browser = Self { driver, complaints: RefCell::default(), _keeper: keeper };
        browser.size(Screen::Desktop)?;
        browser.scheme(Scheme::Light)?;
        Ok(browser)
    }

    /// Goes to an address, and returns when the page is loaded.
    ///
    /// # Errors
    /// [`BrowserError::Refused`], for example when nobody answers.
    pub fn go(&self, url: &str) -> Result<(), BrowserError> {
        self.driver.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Where it is.
    ///
    /// # Errors
    /// [`BrowserError::Refused`], for example while a dialog of the page waits for an answer.
    pub fn url(&self) -> Result<String, BrowserError> {
        self.driver.get("/url").map(as_text)
    }

    /// The title of the page.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn title(&self) -> Result<String, BrowserError> {
        self.driver.get("/title").map(as_text)
    }

    /// The words that the page shows.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn text(&self) -> Result<String, BrowserError> {
        self.eval("return document.body.innerText").map(as_text)
    }

    /// The words that an element shows, which may take some seconds to appear.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is no such element.
    pub fn text_of(&self, selector: &str) -> Result<String, BrowserError> {
        let element = self.driver.find(By::Css(selector))?;
        self.driver.get(&format!("/element/{element}/text")).map(as_text)
    }

    /// Runs the body of a function in the page, and gives what it returns.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when it throws.
    pub fn eval(&self, script: &str) -> Result<Value, BrowserError> {
        self.driver.execute(script, &json!([]))
    }

    /// The same for a function that calls its last argument with what it has found.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when it throws or never calls.
    pub fn eval_async(&self, script: &str) -> Result<Value, BrowserError> {
        self.driver.execute_async(script)
    }

    /// A command of the DevTools protocol.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, BrowserError> {
        self.driver.devtools(command, parameters)
    }

    /// Waits until an expression of JavaScript is true in the page; `what` says so in words.
    ///
    /// # Errors
    /// [`BrowserError::InVain`] with what the page says instead.
    pub fn until(&self, what: &str, expression: &str) -> Result<(), BrowserError> {
        let script = format!("return Boolean({expression})");
        let held = wait_until(LIMIT, || {
            // Between two pages there is nothing that could be asked.
            let holds = self.eval(&script).is_ok_and(|value| value == true);
            if !holds {
                std::thread::sleep(GLANCE);
            }
            holds
        });
        if held {
            return Ok(());
        }
        let (url, text) = (self.url().unwrap_or_default(), self.text().unwrap_or_default());
        Err(BrowserError::InVain { what: what.to_owned(), url, text })
    }

    /// Waits until the page shows these words.
    ///
    /// # Errors
    /// [`BrowserError::InVain`] with what it says instead.
    pub fn until_says(&self, words: &str) -> Result<(), BrowserError> {
        let quoted = json!(words);
        self.until(&format!("it says {words:?}"), &format!("document.body.innerText.includes({quoted})"))
    }

    /// Everything that pages have complained of in the console so far: errors, warnings, what was not found, and what the
    /// policy forbade.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn complaints(&self) -> Result<Vec<String>, BrowserError> {
        let entries = self.driver.post("/se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
        let serious =
            entries.iter().filter(|entry| ["SEVERE", "WARNING"].iter().any(|it| entry["level"] == *it));
        let words = serious.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned());
        self.complaints.borrow_mut().extend(words);
        Ok(self.complaints.borrow().clone())
    }

    /// Forgets what pages have complained of so far.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn forgive(&self) -> Result<(), BrowserError> {
        self.complaints()?;
        self.complaints.borrow_mut().clear();
        Ok(())
    }

    /// Whether pages may run scripts from now on. Ours may always.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn scripts(&self, may_run: bool) -> Result<(), BrowserError> {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": !may_run })).map(drop)
    }

    /// The zone in which the person lives from now on, for example `Asia/Kolkata`.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is no such zone.
    pub fn zone(&self, name: &str) -> Result<(), BrowserError> {
        self.devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": name })).map(drop)
    }

    /// Cuts the browser off from every server, or lets it back.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn offline(&self, offline: bool) -> Result<(), BrowserError> {
        self.devtools("Network.enable", &json!({}))?;
        let link =
            json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", &link).map(drop)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Whatever is left of it, its keeper ends.
        let _ = self.driver.close();
    }
}

/// Chromium itself: the command of Debian is a script around it.
fn binary() -> PathBuf {
    let itself = Path::new("/usr/lib/chromium/chromium");
    if itself.is_file() { itself.to_owned() } else { find("chromium").unwrap_or_else(|| "chromium".into()) }
}

/// The port in `ChromeDriver was started successfully on port 12345.`
fn port_of(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("successfully on port ")?;
    rest.split_once('.')?.0.parse().ok()
}

fn as_text(value: Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
