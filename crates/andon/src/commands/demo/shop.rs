//! The releases of the demo's shop: pages, and the words that its web service is started with.

use std::net::SocketAddr;
use std::path::Path;

use super::fleet::write;
use super::weather::Weather;
use crate::failure::Failure;

/// What the shop sells from the second release on.
const COFFEE: &str = "Tea, coffee, ";
/// What it sells before.
const TEA: &str = "Tea, ";
/// What makes the checkout button visible, and what its production test looks for.
const SEEN: &str = "background: #0a6e31";
/// What a release changes when it changes nothing else.
const TITLE: &str = "<title>Checkout</title>";
/// White, like its letters.
const UNSEEN: &str = "background: #fff";
/// The mean time that a page costs, in microseconds.
const WORK: u32 = 100_000;

const INDEX: &str = include_str!("files/index.html");
const CHECKOUT: &str = include_str!("files/checkout.html");

/// The releases of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shop {
    /// The first one.
    Opening,
    /// As it should be.
    Good,
    /// Healthy in every way, but nobody can see the checkout button.
    WhiteOnWhite,
    /// The button in its old place, and a new title.
    Repaired,
    /// One page of twenty fails where the weather takes one of two hundred.
    Failing,
    /// Pages cost half as much again.
    Slower,
    /// Of ten orders nine get lost.
    OrdersLost,
    /// None gets lost, and a new title.
    Tills,
}

impl Shop {
    /// Writes it where the line looks for the next release. Orders are reported to `till`.
    pub(super) fn build(self, fleet: &Path, till: SocketAddr) -> Result<(), Failure> {
        let release = fleet.join("release");
        let exe = std::env::current_exe().map_err(|error| Failure::broken(format!("who am I? {error}")))?;
        let quoted = |path: &Path| {
            let text = path.to_str().map(|text| shell_words::quote(text).into_owned());
            text.ok_or_else(|| {
                Failure::broken(format!("{} cannot be written into a script", path.display()))
                    .next("move andon and its directory for temporary files to paths in UTF-8")
            })
        };
        let (exe, weather) = (quoted(&exe)?, quoted(&Weather::file(fleet))?);
        let start = format!(
            "#!/bin/sh\n# Serves the pages of the release that this script is part of.\n\
             exec {exe} demo-service --pages \"${{0%/bin/www}}/pages\" --work {WORK} \\\n  \
             --weather {weather} --statsd {till} {}\"$@\"\n",
            self.faults()
        );
        write(&release.join("bin/www"), &start, 0o755)?;
        write(&release.join("pages/index.html"), &self.index(), 0o644)?;
        write(&release.join("pages/checkout.html"), &self.checkout(), 0o644)
    }

    /// What is wrong with its program.
    fn faults(self) -> &'static str {
        match self {
            Self::Opening | Self::Good | Self::WhiteOnWhite | Self::Repaired | Self::Tills => "",
            Self::Failing => "--failing 45000 ",
            Self::Slower => "--work-percent 150 ",
            Self::OrdersLost => "--orders-lost 90 ",
        }
    }

    fn index(self) -> String {
        if self == Self::Opening { INDEX.replace(COFFEE, TEA) } else { INDEX.to_owned() }
    }

    fn checkout(self) -> String {
        match self {
            Self::Opening | Self::Good => CHECKOUT.to_owned(),
            Self::WhiteOnWhite => CHECKOUT.replace(SEEN, UNSEEN),
            Self::Repaired | Self::Failing | Self::Slower | Self::OrdersLost => {
                CHECKOUT.replace(TITLE, "<title>A bright checkout</title>")
            }
            Self::Tills => CHECKOUT.replace(TITLE, "<title>A bright checkout with a till</title>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::LINE_TEXT;
    use super::*;

    const SHOPS: [Shop; 8] = [
        Shop::Opening,
        Shop::Good,
        Shop::WhiteOnWhite,
        Shop::Repaired,
        Shop::Failing,
        Shop::Slower,
        Shop::OrdersLost,
        Shop::Tills,
    ];

    #[test]
    fn one_release_lacks_what_the_production_test_looks_for_and_the_others_have_it() {
        assert!(LINE_TEXT.contains(SEEN) && CHECKOUT.contains("color: #fff"));
        assert_eq!(CHECKOUT.matches(SEEN).count(), 1);
        assert!(!Shop::WhiteOnWhite.checkout().contains(SEEN));
        for shop in SHOPS.into_iter().filter(|shop| *shop != Shop::WhiteOnWhite) {
            assert!(shop.checkout().contains(SEEN), "{shop:?}");
        }
    }

    #[test]
    fn a_release_differs_from_all_others() {
        let different: std::collections::BTreeSet<_> =
            SHOPS.iter().map(|shop| (shop.faults(), shop.index(), shop.checkout())).collect();
        assert_eq!(different.len(), SHOPS.len());
    }
}
