//! Users, tokens and approvals as stories: who may what, and what is refused.

use std::time::Duration;

use super::*;
use crate::digest::Digest;
use crate::person::Person;
use crate::time::Time;

const DAY: Duration = Duration::from_secs(86_400);

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn grants(texts: &[&str]) -> Vec<Grant> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn scope(service: &str, environment: &str) -> ScopeName {
    ScopeName {
        service: ServiceName::new(service).unwrap(),
        environment: EnvironmentName::new(environment).unwrap(),
    }
}

fn visitor(texts: &[&str]) -> Visitor {
    Visitor { name: "ana".into(), at: "here".into(), grants: grants(texts) }
}

fn print(text: &str) -> Fingerprint {
    Fingerprint::of(text.as_bytes())
}

fn after(directory: &mut Directory, at: i64, facts: Result<Vec<AccessFact>, AccessRefusal>) {
    for fact in facts.unwrap() {
        directory.apply(Time(at), &fact);
    }
}

/// Ana looks after users; ben deploys www.
fn two() -> Directory {
    let mut directory = Directory::default();
    let added = directory.add_user(user("ana"), grants(&["admin"]), None, Some(print("a")));
    after(&mut directory, 1, added);
    let added = directory.add_user(user("ben"), grants(&["deploy:www"]), None, Some(print("b")));
    after(&mut directory, 2, added);
    directory
}

#[test]
fn a_grant_holds_where_it_says_and_nowhere_else() {
    let deploy = |service, environment| Deed::Deploy(scope(service, environment));
    let cases: [(&str, Deed, bool); 15] = [
        ("deploy", deploy("www", "production"), true),
        ("deploy:www", deploy("www", "production"), true),
        ("deploy:www", deploy("api", "production"), false),
        ("deploy:www/staging", deploy("www", "staging"), true),
        ("deploy:www/staging", deploy("www", "production"), false),
        ("deploy:*/staging", deploy("api", "staging"), true),
        ("deploy:*/staging", deploy("api", "production"), false),
        ("deploy", Deed::Line, false),
        ("deploy", Deed::Administer, false),
        ("line", Deed::Line, true),
        ("deploy:www/staging", Deed::Report, true),
        ("line", deploy("www", "staging"), false),
        ("admin", Deed::Line, true),
        ("admin", Deed::Administer, true),
        // An admin of one service is none of all users.
        ("admin:www", Deed::Administer, false),
    ];
    for (grant, deed, may) in cases {
        assert_eq!(visitor(&[grant]).may(&deed), may, "{grant} {deed:?}");
    }
    assert!(!visitor(&[]).may(&Deed::Report));
    assert!(visitor(&[]).may(&Deed::Read), "everybody who is let in may read");
}

#[test]
fn grants_are_read_as_they_are_written() {
    for text in ["admin", "line", "deploy", "deploy:www", "deploy:www/production", "deploy:*/staging"] {
        assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
    }
    for text in ["", "root", "deploy:", "deploy:a/b/c", "deploy:../x", "line:www", "deploy:<b>"] {
        assert!(text.parse::<Grant>().is_err(), "{text}");
    }
}

#[test]
fn a_users_name_is_nothing_but_text_for_a_page_a_path_or_a_terminal() {
    for good in ["ana", "ana@example.com", "a.b+c_d-e", "7"] {
        assert!(UserName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "-ana", ".", "<script>", "a b", "a/b", "a\u{1b}[2J", "ана", "@x"] {
        assert!(UserName::new(bad).is_err(), "{bad}");
    }
    assert!(UserName::new("x".repeat(101)).is_err());
}

#[test]
fn the_first_user_looks_after_users_and_the_last_one_who_does_stays() {
    let empty = Directory::default();
    let first = empty.add_user(user("ben"), grants(&["deploy"]), None, None);
    assert_eq!(first, Err(AccessRefusal::FirstWithoutAdmin(user("ben"))));
    let mut directory = two();
    let last = Err(AccessRefusal::LastAdmin(user("ana")));
    assert_eq!(directory.remove_user(user("ana")), last);
    assert_eq!(directory.set_grants(user("ana"), grants(&["admin:www"])), last);
    let set = directory.set_grants(user("ben"), grants(&["admin"]));
    after(&mut directory, 3, set);
    let removed = directory.remove_user(user("ana"));
    after(&mut directory, 4, removed);
    assert!(directory.user("ana").is_none());
    assert_eq!(directory.remove_user(user("ana")), Err(AccessRefusal::NoUser(user("ana"))));
    assert_eq!(
        directory.add_user(user("ben"), grants(&[]), None, None),
        Err(AccessRefusal::Known(user("ben")))
    );
    assert_eq!(directory.set_grants(user("ben"), grants(&["admin"])), Ok(Vec::new()), "nothing to change");
}

#[test]
fn a_token_may_what_it_was_made_for_as_far_as_its_user_still_may() {
    let mut directory = two();
    let make = |directory: &Directory, texts: &[&str], life| {
        directory.make_token(user("ben"), "ci".into(), grants(texts), life, Time(10), print("t"))
    };
    for beyond in ["deploy", "deploy:api", "deploy:*/staging", "line", "admin"] {
        let refused = make(&directory, &[beyond], DAY).unwrap_err();
        assert!(matches!(refused, AccessRefusal::Beyond { .. }), "{beyond}");
    }
    assert!(matches!(make(&directory, &[], Duration::ZERO), Err(AccessRefusal::Lifetime(_))));
    assert!(matches!(make(&directory, &[], DAY * 400), Err(AccessRefusal::Lifetime(_))));
    let made = make(&directory, &["deploy:www"], DAY);
    after(&mut directory, 10, made);
    let id = TokenId(1);
    let token = directory.token(id, Time(11)).unwrap().clone();
    assert_eq!(directory.grants_of(&token), grants(&["deploy:www"]));
    // What the user may no more, the token may no more.
    let set = directory.set_grants(user("ben"), grants(&["deploy:*/staging"]));
    after(&mut directory, 12, set);
    assert_eq!(directory.grants_of(&token), grants(&["deploy:www/staging"]));
    let set = directory.set_grants(user("ben"), grants(&[]));
    after(&mut directory, 13, set);
    assert_eq!(directory.grants_of(&token), []);
    assert!(directory.token(id, Time(10) + DAY).is_none(), "expired");
    let revoked = directory.revoke_token(id);
    after(&mut directory, 14, revoked);
    assert!(directory.token(id, Time(15)).is_none());
    assert_eq!(directory.revoke_token(id), Err(AccessRefusal::NoToken(id)));
    let made = directory.make_token(user("ana"), "x".into(), grants(&["admin"]), DAY, Time(16), print("u"));
    assert!(
        matches!(&made.unwrap()[..], [AccessFact::TokenMade { token: TokenId(2), .. }]),
        "numbers are not used again"
    );
}

#[test]
fn who_is_removed_takes_their_tokens_along_and_a_new_password_ends_what_was_signed_in() {
    let mut directory = two();
    let made = directory.make_token(user("ben"), "ci".into(), Vec::new(), DAY, Time(10), print("t"));
    after(&mut directory, 10, made);
    let set = directory.set_password(user("ben"), print("new"));
    after(&mut directory, 20, set);
    let ben = directory.user("ben").unwrap();
    assert_eq!((ben.secured, ben.password.as_ref()), (Time(20), Some(&print("new"))));
    assert!(directory.token(TokenId(1), Time(21)).is_some(), "a token does not hang on the password");
    let removed = directory.remove_user(user("ben"));
    after(&mut directory, 30, removed);
    assert!(directory.token(TokenId(1), Time(31)).is_none());
    // A namesake later does not get them back.
    let added = directory.add_user(user("ben"), grants(&["deploy"]), None, None);
    after(&mut directory, 40, added);
    assert!(directory.token(TokenId(1), Time(41)).is_none());
    assert_eq!(directory.user("ben").unwrap().password, None);
}

#[test]
fn the_tokens_of_a_user_are_bounded_also_those_that_have_expired() {
    let mut directory = two();
    let make = |directory: &Directory, life, now| {
        directory.make_token(user("ben"), "ci".into(), Vec::new(), life, now, print("t"))
    };
    for number in 0..MOST_TOKENS {
        let life = if number < 2 { Duration::from_secs(1) } else { DAY };
        let made = make(&directory, life, Time(10));
        after(&mut directory, 10, made);
    }
    let full = AccessRefusal::TooMany { what: "tokens of this user", most: MOST_TOKENS };
    assert_eq!(make(&directory, DAY, Time(11)), Err(full.clone()));
    // Two have expired: each makes room for one, and no more than that is forgotten.
    for gone in [1, 2] {
        let made = make(&directory, DAY, Time(2_000)).unwrap();
        assert!(
            matches!(&made[..], [AccessFact::TokenRevoked { token: TokenId(token) }, AccessFact::TokenMade { .. }]
                if *token == gone),
            "{made:?}"
        );
        after(&mut directory, 2_000, Ok(made));
        assert_eq!(directory.tokens().count(), MOST_TOKENS);
    }
    assert_eq!(make(&directory, DAY, Time(2_000)), Err(full));
    let anas = directory.make_token(user("ana"), "x".into(), Vec::new(), DAY, Time(2_000), print("u"));
    assert_eq!(anas.unwrap().len(), 1, "others have their own");
}

#[test]
fn who_was_removed_is_not_let_in_again_by_the_system_that_signs_them_in() {
    let mut directory = two();
    let identity = |subject: &str| Identity { issuer: "https://id".into(), subject: subject.into() };
    let sign_in = |directory: &Directory, subject: &str| {
        directory.add_user(user("cid"), grants(&["admin"]), Some(identity(subject)), None)
    };
    let added = sign_in(&directory, "1");
    after(&mut directory, 3, added);
    let removed = directory.remove_user(user("cid"));
    after(&mut directory, 4, removed);
    assert_eq!(sign_in(&directory, "1"), Err(AccessRefusal::Removed(user("cid"))));
    let other = directory.add_user(user("cid2"), Vec::new(), Some(identity("1")), None);
    assert_eq!(other, Err(AccessRefusal::Removed(user("cid2"))), "nor under another name");
    assert!(sign_in(&directory, "2").is_ok(), "a namesake is somebody else");
    // A namesake with a password does not open the door for the other one.
    let mut namesake = directory.clone();
    let added = namesake.add_user(user("cid"), Vec::new(), None, Some(print("c")));
    after(&mut namesake, 5, added);
    assert_eq!(namesake.by_identity(&identity("1")), None);
    assert!(namesake.add_user(user("cid3"), Vec::new(), Some(identity("1")), None).is_err());
    // Somebody who looks after users lets the same person in again.
    let added = directory.add_user(user("cid"), grants(&["line"]), None, None);
    after(&mut directory, 5, added);
    assert_eq!(directory.by_identity(&identity("1")), Some(&user("cid")));
    assert_eq!(directory.user("cid").unwrap().grants, grants(&["line"]));
}

#[test]
fn no_fact_holds_a_secret() {
    let facts = two().set_password(user("ben"), print("$argon2id$v=19$m=19456$salt$digest")).unwrap();
    let text = serde_json::to_string(&facts).unwrap();
    assert!(!text.contains("argon2") && !text.contains("salt") && text.len() < 120, "{text}");
}

fn person(name: &str) -> Person {
    Person { name: name.into(), at: "here".into() }
}

#[test]
fn a_release_goes_out_once_enough_others_who_may_agree_and_for_a_day() {
    let (place, release, other) = (scope("www", "production"), Digest::of(b"1"), Digest::of(b"2"));
    let mut approvals = Approvals::default();
    let ana = person("ana");
    let asked = |by: &str, release| ApprovalFact::Asked { release, by: person(by), needed: 1, why: None };
    let approved = |by: &str, release| ApprovalFact::Approved { release, by: person(by), why: None };
    let admit = |approvals: &Approvals, now, needed| {
        approvals.admit(&place, &release, needed, &ana, Time(now), |name| name != "guest")
    };
    let refused = admit(&approvals, 1, 1).unwrap_err();
    assert_eq!(refused.asked.name, "ana");
    assert!(
        refused
            .to_string()
            .ends_with("needs 1 approval before it goes to www → production; there is none yet")
    );
    approvals.apply(Time(1), &asked("cid", release));
    assert_eq!(admit(&approvals, 2, 1).unwrap_err().asked.name, "cid", "who asked first");
    // One's own, that of another release, and that of somebody who may not deploy there count for nothing.
    for (by, what) in [("ana", release), ("ben", other), ("guest", release)] {
        approvals.apply(Time(3), &approved(by, what));
        assert!(admit(&approvals, 4, 1).is_err(), "{by}");
    }
    approvals.apply(Time(5), &approved("ben", release));
    assert_eq!(admit(&approvals, 6, 1), Ok(()));
    // The same person twice is one person.
    approvals.apply(Time(7), &approved("ben", release));
    assert_eq!(admit(&approvals, 8, 2).unwrap_err().given, ["ben"]);
    let day = i64::try_from(APPROVALS_LAST.as_millis()).unwrap();
    assert_eq!(admit(&approvals, 7 + day - 1, 1), Ok(()));
    assert!(admit(&approvals, 7 + day, 1).is_err(), "a day later it counts no more");
    assert_eq!(approvals.waiting(Time(8)).count(), 1);
    let id = crate::release::ReleaseId::of(&release);
    assert_eq!(approvals.asked_for(&id, Time(8)).unwrap().by.name, "cid");
    approvals.apply(Time(9), &ApprovalFact::Used { release, deployment: crate::name::DeploymentId(7) });
    assert_eq!(approvals.waiting(Time(10)).count(), 0);
}

#[test]
fn what_puts_things_right_waits_for_no_approval_and_a_fix_of_what_did_not_fail_does() {
    use crate::deployment::{CancelReason, Cause, Kind, PauseReason, Phase, State};
    assert!(has_to_wait(Kind::Deploy, None, false));
    assert!(has_to_wait(Kind::Deploy, None, true));
    assert!(!has_to_wait(Kind::Rollback, None, false));
    let waits = |kind, state: &State| has_to_wait(Kind::Deploy, Some((kind, state, false)), false);
    let seen = || Cause::Analysis { sentence: "errors tenfold".into(), metrics: Vec::new() };
    let paused = |reason| State::Paused { reason, at: Phase::Prepare };
    let failed = [
        State::Failed { cause: seen() },
        State::RollingBack { cause: seen() },
        State::RolledBack { cause: seen() },
        State::RollbackFailed { cause: Cause::Asked { by: None }, hosts: Vec::new() },
        paused(PauseReason::NothingLearned),
    ];
    for state in &failed {
        assert!(!waits(Kind::Deploy, state), "{state:?}");
        let ended = matches!(state, State::Failed { .. } | State::RollbackFailed { .. });
        assert_eq!(waits(Kind::Rollback, state), !ended, "a way back: {state:?}");
        assert!(
            has_to_wait(Kind::Deploy, Some((Kind::Deploy, state, true)), false),
            "another one went well since {state:?}"
        );
    }
    // What whoever may deploy can begin and give up is nothing that has to be repaired.
    let unharmed = [
        State::Succeeded,
        State::Running { phase: Phase::Prepare },
        paused(PauseReason::Manual),
        State::Aborted { superseded_by: None },
        State::RollingBack { cause: Cause::Asked { by: None } },
        State::RolledBack { cause: Cause::Asked { by: None } },
        State::Cancelled { reason: CancelReason::Asked },
        State::Cancelled { reason: CancelReason::Refused { why: "the line stands".into() } },
    ];
    for state in &unharmed {
        assert!(waits(Kind::Deploy, state) && waits(Kind::Rollback, state), "{state:?}");
        assert!(
            !has_to_wait(Kind::Deploy, Some((Kind::Deploy, state, false)), true),
            "its harm may have been seen by people"
        );
    }
}

#[test]
fn a_short_name_that_two_waiting_releases_have_is_the_name_of_neither() {
    let digest = |last: u8| {
        let mut bytes = [7; 32];
        bytes[31] = last;
        Digest::from_bytes(bytes)
    };
    let (one, two) = (digest(1), digest(2));
    let id = crate::release::ReleaseId::of(&one);
    assert_eq!(id, crate::release::ReleaseId::of(&two));
    let mut approvals = Approvals::default();
    let asked = |release| ApprovalFact::Asked { release, by: person("ana"), needed: 1, why: None };
    approvals.apply(Time(1), &asked(one));
    assert_eq!(approvals.asked_for(&id, Time(2)).unwrap().release, one);
    approvals.apply(Time(3), &asked(two));
    assert_eq!(approvals.asked_for(&id, Time(4)), None);
    approvals.apply(Time(5), &ApprovalFact::Used { release: one, deployment: crate::name::DeploymentId(7) });
    assert_eq!(approvals.asked_for(&id, Time(6)).unwrap().release, two);
}
