//! The browser itself: what it sees, what it tells, and that nothing is left of it.

use super::*;
use crate::process;

const HEAD: &str = "<!doctype html><html lang=en><head><title>Words</title><link rel=icon href='data:,'>
    <meta name=viewport content='width=device-width'>";

/// The address of a page with this body, which may begin with more of the head.
fn page(body: &str) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('#', "%23").replace('\n', " ");
    format!("data:text/html,{}{}", escape(HEAD), escape(body))
}

#[test]
fn a_sound_page_is_seen_to_be_sound_and_a_broken_one_told_piece_by_piece() {
    let browser = Browser::start().unwrap();
    browser.size(Screen::Phone).unwrap();
    browser.go(&page("<main><h1>Words</h1><p>More of them.</p></main>")).unwrap();
    assert_eq!(browser.title().unwrap(), "Words");
    assert_eq!(browser.text_of("p").unwrap(), "More of them.");
    assert_eq!(browser.broken().unwrap(), [""; 0]);
    assert_eq!(browser.inaccessible().unwrap(), [""; 0]);
    assert_eq!(browser.complaints().unwrap(), [""; 0]);

    browser
        .go(&page(
            "<main><h1>Words</h1><p style='width: 700px'>wide</p><ul style='height: 20px'></ul><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>
             <p style='position: absolute; top: 0'>on top of it</p><p style='color: #eee'>faint</p>
             <p style='width: 30px; overflow: hidden; white-space: nowrap'>much longer than that</p></main>",
        ))
        .unwrap();
    let broken = browser.broken().unwrap().join("\n");
    for words in ["px wide on a screen of", "lie on each other", "is cut off", "ul is empty"] {
        assert!(broken.contains(words), "{words}: {broken}");
    }
    let inaccessible = browser.inaccessible().unwrap().join("\n");
    for rule in ["image-alt", "color-contrast"] {
        assert!(inaccessible.contains(rule), "{rule}: {inaccessible}");
    }
}

#[test]
fn what_a_policy_forbids_is_told_while_a_test_may_run_what_it_likes() {
    let browser = Browser::start().unwrap();
    browser
        .go(&page(
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:\"><body><main><h1>Words</h1>
             <script>document.title = 'hacked'</script></main>",
        ))
        .unwrap();
    assert_eq!(browser.title().unwrap(), "Words");
    assert!(browser.complaints().unwrap().iter().any(|it| it.contains("Content Security Policy")));
    browser.forgive().unwrap();
    browser.inaccessible().unwrap();
    assert_eq!(browser.complaints().unwrap(), [""; 0]);
}

#[test]
fn people_type_click_and_use_the_keyboard() {
    let browser = Browser::start().unwrap();
    browser
        .go(&page(
            "<main><h1>Words</h1><label>Name <input></label> <button onclick=\"document.querySelector('h1').textContent =
             document.querySelector('input').value\">Take it</button></main>",
        ))
        .unwrap();
    browser.fill("input", "ana").unwrap();
    browser.press("Take it").unwrap();
    browser.until_says("ana").unwrap();
    browser.fill("input", "ben").unwrap();
    browser.keys(&format!("{}{}", key::TAB, key::ENTER)).unwrap();
    browser.until_says("ben").unwrap();
}

#[test]
fn nothing_is_left_of_a_browser() {
    let browser = Browser::start().unwrap();
    let keeper = browser._keeper.0.id();
    let word = process::descendants(keeper).into_iter().find_map(|child| {
        let line = fs::read(format!("/proc/{}/environ", child.pid)).ok()?;
        let words = String::from_utf8_lossy(&line).into_owned();
        words.split('\0').find_map(|word| word.strip_prefix("ANDON_BROWSER=").map(PathBuf::from))
    });
    let place = word.unwrap();
    assert!(place.is_dir());
    assert!(process::with_directory(&place).len() > 2);
    drop(browser);
    assert!(!place.exists());
    assert_eq!(process::with_directory(&place), [0; 0]);
}
