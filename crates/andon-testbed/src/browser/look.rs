//! How a browser shows pages: the size of its screen, light and dark, and pictures of what it shows.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Browser, BrowserError};
use crate::packages;

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 390 × 844, touched.
    Phone,
    /// 1280 × 800.
    Desktop,
    /// 2560 × 1440, looked at from across the room.
    Wall,
}

impl Screen {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Desktop => "desktop",
            Self::Wall => "wall",
        }
    }

    fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (390, 844),
            Self::Desktop => (1280, 800),
            Self::Wall => (2560, 1440),
        }
    }
}

/// What the person likes better, or needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
    /// On paper.
    Print,
}

impl Scheme {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Print => "print",
        }
    }
}

const LAYOUT: &str = include_str!("layout.js");

/// Tall pages are cut here, in pixels.
const TALLEST: f64 = 6_000.0;

impl Browser {
    /// Shows pages on such a screen from now on.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn size(&self, screen: Screen) -> Result<(), BrowserError> {
        let (width, height) = screen.size();
        let mobile = screen == Screen::Phone;
        let metrics = json!({
            "width": width, "height": height, "screenWidth": width, "screenHeight": height,
            "deviceScaleFactor": 1, "mobile": mobile,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics)?;
        let touch = json!({ "enabled": mobile });
        self.devtools("Emulation.setTouchEmulationEnabled", &touch).map(drop)
    }

    /// Shows pages in light or dark, or as on paper, from now on.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn scheme(&self, scheme: Scheme) -> Result<(), BrowserError> {
        let media = if scheme == Scheme::Print { "print" } else { "" };
        let likes = if scheme == Scheme::Dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": likes },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let told = json!({ "media": media, "features": features });
        self.devtools("Emulation.setEmulatedMedia", &told).map(drop)
    }

    /// What a person would call broken in the page as it stands, a sentence each: wider than the screen, words on
    /// words, words cut off, regions without a word. Nothing is good.
    ///
    /// # Errors
    /// [`BrowserError::Refused`].
    pub fn broken(&self) -> Result<Vec<String>, BrowserError> {
        let faults = self.eval(LAYOUT)?;
        let faults = faults.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(faults.iter().filter_map(|fault| fault.as_str()).map(str::to_owned).collect())
    }

    /// Keeps a picture of the whole page as `target/screenshots/NAME.png`, for people to look at.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub fn screenshot(&self, name: &str) -> Result<PathBuf, BrowserError> {
        let metrics = self.devtools("Page.getLayoutMetrics", &json!({}))?;
        let size = &metrics["cssContentSize"];
        let (width, height) = (size["width"].as_f64().unwrap_or(0.0), size["height"].as_f64().unwrap_or(0.0));
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height.min(TALLEST), "scale": 1 });
        let wish = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.devtools("Page.captureScreenshot", &wish)?;
        let refused = |said: String| BrowserError::Refused { doing: "take a picture".to_owned(), said };
        let picture = taken["data"].as_str().ok_or_else(|| refused("there is none".to_owned()))?;
        let picture = STANDARD.decode(picture).map_err(|error| refused(error.to_string()))?;
        let path = packages::target().join("screenshots").join(format!("{name}.png"));
        let directory = path.parent().unwrap_or(&path);
        fs::create_dir_all(directory).map_err(BrowserError::io("make target/screenshots"))?;
        fs::write(&path, picture).map_err(BrowserError::io(format!("write {}", path.display())))?;
        Ok(path)
    }
}
