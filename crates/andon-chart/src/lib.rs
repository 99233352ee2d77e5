//! Charts: what is known comes in as data, a drawing comes out, as SVG for pages or as PNG for mail.
//!
//! The one module that draws. Each chart decides only where things stand; how time and values are named is in `time_axis`
//! and `ticks`, what a colour means in `ink`, what a
//! deployment's end looks like in `marker`, how it is written down
//! in `svg_text` and `raster`. Nothing here reads a clock, a file or the ledger, and no value, however odd, is drawn as
//! something that it is not: what is no number is left out.
//!
//! In pages colours are classes, so that dark screens and paper have their own; in mail they are fixed.

mod badge;
mod drawing;
mod ink;
mod marker;
pub mod per_day;
mod picture;
mod plot;
mod raster;
pub mod ratio;
pub mod spark;

mod svg_text;
mod ticks;
mod time_axis;
pub mod timeline;
pub mod traffic;
mod typeface;

pub use badge::{Tone, badge};
pub use drawing::Chart;
pub use picture::{png, svg};

/// The marker of an outcome by itself, as SVG for keys and lists. The words beside it say what it is.
pub fn marker(outcome: andon_core::chronicle::Outcome) -> String {
    svg_text::marker(outcome)
}

/// For which room a chart is drawn. A page holds both, and shows the one that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A phone, or a column of a page: 360 units wide.
    Narrow,
    /// A desk, a wall, paper: 960 units wide.
    Wide,
}

impl Room {
    /// The width of the drawing. One unit is about one pixel.
    pub(crate) fn width(self) -> f32 {
        match self {
            Self::Narrow => 360.0,
            Self::Wide => 960.0,
        }
    }

    /// The class of the drawing in pages.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Narrow => "chart narrow",
            Self::Wide => "chart wide",
        }
    }

    /// The size of ordinary letters.
    pub(crate) fn letters(self) -> f32 {
        match self {
            Self::Narrow => 12.0,
            Self::Wide => 13.5,
        }
    }
}

#[cfg(test)]
mod overlap;
#[cfg(test)]
mod preview;
