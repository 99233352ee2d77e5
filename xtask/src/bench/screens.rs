//! Every page with 1,000 hosts, 50 services and 100,000 deployments, looked at in a real browser: on a phone, a desk and a
//! wall, in light, in dark and on paper. Pictures are kept below `target/screenshots/town/`.

use andon_testbed::{Browser, BrowserError, Scheme, Screen};

use super::links::{self, Shapes};
use super::pages::{names, town};
use super::served::Served;
use crate::failure::Failure;

const WAYS: [(Screen, Scheme); 6] = [
    (Screen::Desktop, Scheme::Light),
    (Screen::Desktop, Scheme::Dark),
    (Screen::Phone, Scheme::Light),
    (Screen::Phone, Scheme::Dark),
    (Screen::Wall, Scheme::Dark),
    (Screen::Desktop, Scheme::Print),
];

/// Looks at every page, and fails when something is broken, or keeps somebody out.
pub(super) fn look() -> Result<(), Failure> {
    let (directory, _) = town()?;
    let served = Served::start(&directory)?;
    let shapes = Shapes::new(names(&directory));
    let pages = links::pages(&served, &shapes)?;
    let browser = Browser::start().map_err(found)?;
    let mut faults = 0;
    let mut seen = std::collections::BTreeSet::new();
    for page in pages {
        let shape = shapes.of(&page);
        let is_page = served.get(&page, false)?.kind.starts_with("text/html");
        if !is_page || !seen.insert(shape.clone()) {
            continue;
        }
        println!("{page}");
        for fault in look_at(&browser, &format!("{}{page}", served.address()), &shape).map_err(found)? {
            faults += 1;
            println!("  {fault}");
        }
    }
    match faults {
        0 => Ok(()),
        faults => Err(Failure::Found(format!("{faults} faults on {} pages", seen.len()))),
    }
}

fn look_at(browser: &Browser, address: &str, shape: &str) -> Result<Vec<String>, BrowserError> {
    let mut faults = Vec::new();
    browser.go(address)?;
    let name = shape.trim_matches('/').replace(['/', '?', '&', '='], "_").replace('*', "x");
    let name = if name.is_empty() { "now" } else { &name };
    for (screen, scheme) in WAYS {
        browser.size(screen)?;
        browser.scheme(scheme)?;
        let how = format!("{}, {}", screen.name(), scheme.name());
        let mut found = browser.broken()?;
        if scheme != Scheme::Print {
            found.extend(browser.inaccessible()?);
        }
        faults.extend(found.into_iter().map(|fault| format!("{how}: {fault}")));
        browser.screenshot(&format!("town/{name}-{}-{}", screen.name(), scheme.name()))?;
    }
    faults.extend(browser.complaints()?);
    browser.forgive()?;
    browser.size(Screen::Desktop)?;
    browser.scheme(Scheme::Light)?;
    Ok(faults)
}

fn found(error: BrowserError) -> Failure {
    Failure::Found(error.to_string())
}
