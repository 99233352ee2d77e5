//! The weather of an act: what befalls all instances at once, whatever release they are of.

use std::path::Path;
use std::time::Duration;

use super::fleet::write;
use crate::failure::Failure;

/// Its name beside the line.
const FILE: &str = "weather";
/// Of a million pages, those that fail on a day that is not so good.
const DRIZZLE: u32 = 5_000;
/// Those that fail in a gust.
const GUST: u32 = 120_000;
/// How long a gust lasts.
const BLOWS: Duration = Duration::from_secs(2);
/// How long nothing follows but drizzle.
const RESTS: Duration = Duration::from_secs(3);

/// What the payment provider does to the pages of all hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Fair,
    /// A few fail.
    Drizzle,
    /// A few fail, and every few seconds many.
    Gusty,
}

impl Weather {
    /// Where releases look for it, below the fleet's directory.
    pub(super) fn file(directory: &Path) -> std::path::PathBuf {
        directory.join(FILE)
    }

    /// It is so from now on, or begins so.
    pub(super) fn set(self, directory: &Path) -> Result<(), Failure> {
        match self {
            Self::Fair => fail(directory, 0),
            Self::Drizzle | Self::Gusty => fail(directory, DRIZZLE),
        }
    }

    /// Goes on as it does, until this is dropped. Ends only where it cannot go on.
    pub(super) async fn go_on(self, directory: &Path) -> Failure {
        loop {
            if self != Self::Gusty {
                return std::future::pending().await;
            }
            for (failing, lasts) in [(GUST, BLOWS), (DRIZZLE, RESTS)] {
                if let Err(failure) = fail(directory, failing) {
                    return failure;
                }
                tokio::time::sleep(lasts).await;
            }
        }
    }
}

fn fail(directory: &Path, failing: u32) -> Result<(), Failure> {
    // Put in place at once: half a number would be another weather.
    let (file, draft) = (Weather::file(directory), directory.join("weather.next"));
    write(&draft, &format!("{failing} 100\n"), 0o644)?;
    std::fs::rename(&draft, &file)
        .map_err(|error| Failure::broken(format!("{} cannot be written: {error}", file.display())))
}
