//! The form with which people change their own password.

use andon_testbed::deadline::wait_until;

use crate::browser::{Browser, encoded};
use crate::house::{House, PASSWORD};
use crate::project::LIMIT;

const PATH: &str = "/settings/access";
const NEW: &str = "another horse battery";

fn form(current: &str, new: &str, again: &str) -> String {
    let (current, new, again) = (encoded(current), encoded(new), encoded(again));
    format!("do=password&current={current}&password={new}&again={again}")
}

#[test]
fn whoever_signed_in_changes_their_own_password_with_the_present_one_and_signs_in_again() {
    let house = House::new();
    house.users(&[("ben", &["deploy"]), ("cid", &[])]);
    let mut ben = Browser::of(&house, "ben");
    let (mut elsewhere, mut cid) = (Browser::of(&house, "ben"), Browser::of(&house, "cid"));
    assert!(ben.get(PATH).is(200).body.contains("value=\"password\""));
    ben.form(PATH, &form(PASSWORD, NEW, NEW)).is(403);
    let wrong = ben.form_with_token(PATH, &form("wrong horse battery", NEW, NEW)).is(403);
    assert!(wrong.body.contains("do not belong together"), "{wrong:?}");
    let twice = ben.form_with_token(PATH, &form(PASSWORD, NEW, "another house battery")).is(400);
    assert!(twice.body.contains("not written twice in the same way"), "{twice:?}");
    let short = ben.form_with_token(PATH, &form(PASSWORD, "short", "short")).is(400);
    assert!(short.body.contains("12 characters or more"), "{short:?}");
    for answer in [&wrong, &twice, &short] {
        assert!(!answer.body.contains(NEW) && !answer.body.contains(PASSWORD), "{answer:?}");
    }
    assert_eq!(ben.who().as_deref(), Some("ben"), "what was refused ends nothing");

    let changed = ben.form_with_token(PATH, &form(PASSWORD, NEW, NEW)).is(303);
    assert_eq!(changed.header("location"), PATH);
    assert_eq!((ben.who(), elsewhere.who(), cid.who().as_deref()), (None, None, Some("cid")));
    assert_eq!(ben.get(PATH).is(303).header("location"), "/sign-in?to=/settings/access");
    ben.sign_in("ben", PASSWORD).is(403);
    ben.sign_in("ben", NEW).is(303);
    // Also who may only read.
    cid.form_with_token(PATH, &form(PASSWORD, NEW, NEW)).is(303);
    cid.sign_in("cid", NEW).is(303);
    assert!(!house.ledger().contains(NEW));
}

#[test]
fn a_token_changes_no_password_there_and_guesses_are_slowed_down_as_at_the_door() {
    let house = House::new();
    house.users(&[("ben", &[])]);
    let token = house.token("ana", &["admin"], "1d");
    let head =
        format!("Authorization: Bearer {token}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let refused = house.ask("POST", PATH, &head, &form(PASSWORD, NEW, NEW)).is(403);
    assert!(refused.body.contains("only a person who signed in sets their own password"), "{refused:?}");
    assert!(!house.ask("GET", PATH, &head, "").is(200).body.contains("value=\"password\""));
    let mut ben = Browser::of(&house, "ben");
    for guess in 0..5 {
        ben.form_with_token(PATH, &form(&format!("wrong horse {guess} battery"), NEW, NEW)).is(403);
    }
    let slowed = wait_until(LIMIT, || {
        let answer = ben.form_with_token(PATH, &form("wrong horse battery", NEW, NEW));
        answer.status == 429 && answer.body.contains("the password was tried too often")
    });
    assert!(slowed, "nobody was ever slowed down");
}
