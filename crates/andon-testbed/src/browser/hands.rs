//! What a person does to a page: clicks, writes, presses keys, drags.

use std::time::Duration;

use serde_json::{Value, json};

use super::driver::By;
use super::{Browser, BrowserError};
use crate::deadline::wait_until;

/// What WebDriver says of an element that went, or moved, before it could be clicked on.
const MOVED: [&str; 3] = ["stale element", "click intercepted", "not interactable"];
/// How long a page may take to lie still.
const PATIENCE: Duration = Duration::from_secs(10);

impl Browser {
    /// Clicks on the first element that the CSS selector means.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is none, or something else lies above it.
    pub fn click(&self, selector: &str) -> Result<(), BrowserError> {
        self.click_on(By::Css(selector))
    }

    /// Clicks on the button, link or summary with exactly these words.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is none, or something else lies above it.
    pub fn press(&self, words: &str) -> Result<(), BrowserError> {
        let kinds = "self::button or self::a or self::summary or self::label";
        self.click_on(By::Xpath(&format!("//*[{kinds}][normalize-space()=\"{words}\"]")))
    }

    fn click_on(&self, by: By<'_>) -> Result<(), BrowserError> {
        // A page that is alive may put another element in its place between the two: then nothing was clicked on.
        let mut clicked = self.click_once(by);
        let moved = |error: &BrowserError| matches!(error, BrowserError::Refused { said, .. } if MOVED.iter().any(|word| said.contains(word)));
        wait_until(PATIENCE, || {
            let again = clicked.as_ref().is_err_and(moved);
            if again {
                clicked = self.click_once(by);
            }
            !again
        });
        clicked
    }

    fn click_once(&self, by: By<'_>) -> Result<(), BrowserError> {
        let element = self.driver.find(by)?;
        let clicked = self.driver.post(&format!("/element/{element}/click"), &json!({}));
        clicked.map(drop).map_err(|error| match error {
            BrowserError::Refused { said, .. } => {
                BrowserError::Refused { doing: format!("click on {by:?}"), said }
            }
            other => other,
        })
    }

    /// Writes into a field, in place of what is in it.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is no such field.
    pub fn fill(&self, selector: &str, text: &str) -> Result<(), BrowserError> {
        let element = self.driver.find(By::Css(selector))?;
        self.driver.post(&format!("/element/{element}/clear"), &json!({}))?;
        self.driver.post(&format!("/element/{element}/value"), &json!({ "text": text })).map(drop)
    }

    /// Presses keys one after another, wherever the focus is: characters, or those of [`key`].
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn keys(&self, keys: &str) -> Result<(), BrowserError> {
        let stroke = |key: char| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let strokes: Vec<Value> = keys.chars().flat_map(stroke).collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": strokes }] });
        self.driver.post("/actions", &actions).map(drop)
    }

    /// Drags the mouse from one point of an element to another one, each as shares of its width and height.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is no such element.
    pub fn drag(&self, selector: &str, from: (f64, f64), to: (f64, f64)) -> Result<(), BrowserError> {
        self.driver.find(By::Css(selector))?;
        let script = "const element = document.querySelector(arguments[0]); element.scrollIntoView({ block: 'center' }); \
                      const box = element.getBoundingClientRect(); \
                      return [[arguments[1], arguments[2]], [arguments[3], arguments[4]]].map(([x, y]) => \
                      ({ x: Math.round(box.left + x * box.width), y: Math.round(box.top + y * box.height) }));";
        let points = self.driver.execute(script, &json!([selector, from.0, from.1, to.0, to.1]))?;
        let go = |point: &Value, over: u64| json!({ "type": "pointerMove", "duration": over, "origin": "viewport", "x": point["x"], "y": point["y"] });
        let moves = json!([
            go(&points[0], 0),
            { "type": "pointerDown", "button": 0 },
            go(&points[1], 200),
            { "type": "pointerUp", "button": 0 },
        ]);
        let pointer = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": moves });
        self.driver.post("/actions", &json!({ "actions": [pointer] })).map(drop)
    }

    /// Turns the wheel of the mouse over the middle of an element by so many pixels; upwards when they are negative.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] when there is no such element.
    pub fn wheel(&self, selector: &str, pixels: i32) -> Result<(), BrowserError> {
        let element = self.driver.find(By::Css(selector))?;
        let origin = json!({ "element-6066-11e4-a52e-4f735466cecf": element });
        let scroll = json!({ "type": "scroll", "x": 0, "y": 0, "deltaX": 0, "deltaY": pixels, "duration": 0, "origin": origin });
        let wheel = json!({ "type": "wheel", "id": "wheel", "actions": [scroll] });
        self.driver.post("/actions", &json!({ "actions": [wheel] })).map(drop)
    }
}

/// Keys that are no characters, as WebDriver writes them.
pub mod key {
    /// To the next field.
    pub const TAB: &str = "\u{e004}";
    /// Does it.
    pub const ENTER: &str = "\u{e007}";
    /// Leaves it.
    pub const ESCAPE: &str = "\u{e00c}";
    /// To the left.
    pub const LEFT: &str = "\u{e012}";
    /// Upwards.
    pub const UP: &str = "\u{e013}";
    /// To the right.
    pub const RIGHT: &str = "\u{e014}";
    /// Downwards.
    pub const DOWN: &str = "\u{e015}";
    /// To the beginning.
    pub const HOME: &str = "\u{e011}";
    /// To the end.
    pub const END: &str = "\u{e010}";
}
