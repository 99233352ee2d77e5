//! A conversation with `chromedriver`: WebDriver, which is JSON over HTTP. Knows commands, not pages.

use std::time::Duration;

use serde_json::{Value, json};

use super::BrowserError;

/// Time for one command, the loading of a page included.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest answer, in bytes: a picture of a long page.
const LONGEST: u64 = 128 * 1024 * 1024;
/// How long an element that is asked for may take to appear, in milliseconds.
const APPEAR_MS: u64 = 20_000;

/// The key under which WebDriver hides the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One session of one browser.
#[derive(Debug)]
pub(crate) struct Driver {
    agent: ureq::Agent,
    session: String,
}

/// How an element is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By<'a> {
    Css(&'a str),
    Xpath(&'a str),
}

impl Driver {
    /// Starts a browser through the driver that listens at `port`.
    pub(crate) fn open(port: u16, binary: &str, arguments: &[String]) -> Result<Self, BrowserError> {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        let mut driver = Self { agent, session: format!("http://127.0.0.1:{port}/session") };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "implicit": APPEAR_MS, "pageLoad": 60_000, "script": 60_000 },
            "goog:chromeOptions": { "binary": binary, "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let opened = driver.post("", &capabilities)?;
        let id = opened["sessionId"].as_str().unwrap_or_default();
        driver.session = format!("{}/{id}", driver.session);
        Ok(driver)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, BrowserError> {
        let answer = self.agent.get(format!("{}{path}", self.session)).call();
        read(path, answer)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, BrowserError> {
        let request = self.agent.post(format!("{}{path}", self.session)).content_type("application/json");
        read(path, request.send(body.to_string()))
    }

    /// Ends the session, and the browser with it.
    pub(crate) fn close(&self) -> Result<(), BrowserError> {
        let request = self.agent.delete(&self.session).config().timeout_global(Some(Duration::from_secs(5)));
        read("end the session", request.build().call()).map(drop)
    }

    /// The id of an element that is there, or comes within some seconds.
    pub(crate) fn find(&self, by: By<'_>) -> Result<String, BrowserError> {
        let (using, value) = match by {
            By::Css(value) => ("css selector", value),
            By::Xpath(value) => ("xpath", value),
        };
        let found = self.post("/element", &json!({ "using": using, "value": value }))?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// Runs the body of a function in the page.
    pub(crate) fn execute(&self, script: &str, arguments: &Value) -> Result<Value, BrowserError> {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// The same, with a promise in the end.
    pub(crate) fn execute_async(&self, script: &str) -> Result<Value, BrowserError> {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// A command of the DevTools protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, BrowserError> {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }
}

type Called = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn read(doing: &str, called: Called) -> Result<Value, BrowserError> {
    let refused = |said: String| BrowserError::Refused { doing: doing.to_owned(), said };
    let mut answer = called.map_err(|error| refused(error.to_string()))?;
    let well = answer.status().is_success();
    let text = answer.body_mut().with_config().limit(LONGEST).read_to_string();
    let text = text.map_err(|error| refused(error.to_string()))?;
    let whole: Value = serde_json::from_str(&text).map_err(|error| refused(format!("{error}: {text}")))?;
    if well {
        return Ok(whole["value"].clone());
    }
    let said = whole["value"]["message"].as_str().unwrap_or(&text);
    // What follows is where in the browser it happened.
    Err(refused(said.split("\nStacktrace").next().unwrap_or(said).to_owned()))
}
