//! What is told to whom, in which words, and how often it is tried. The texts are kept beside, as snapshots.

use super::*;
use crate::digest::Digest;
use crate::name::{EnvironmentName, ServiceName};
use crate::person::Person;

fn put_back() -> Telling {
    let scope = ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    };
    let revision = Revision {
        commit: "4c1d9e2".into(),
        subject: "checkout: retry on 409".into(),
        author: "Ana".into(),
        email: Some("ana@example.com".into()),
        at: Time(1_794_999_000_000),
    };
    let at = Time(1_795_000_000_000);
    let picture = Picture {
        title: "errors".into(),
        unit: "per second".into(),
        canary: vec![(at, 9.6)],
        control: vec![(at, 1.0)],
        deploy: at,
        verdict: at,
        sentence: "errors on web7 were 9.6 × the old release (at least 4.1 ×), 41 of 2,210 requests".into(),
    };
    Telling {
        kind: Kind::PutBack,
        key: "128/put_back".into(),
        at,
        deployment: Some(DeploymentId(128)),
        scope: Some(scope),
        release: Some(ReleaseId::of(&Digest::of(b"two"))),
        revision: Some(revision),
        by: "ben".into(),
        blames_the_release: true,
        headline: "#128 was rolled back after 3m40s: errors on web7 were 9.6 × the old release".into(),
        done: "2 hosts restored, 6 hosts never touched. r-7f3a91 is marked bad.".into(),
        next: vec!["andon show 128".into(), "fix, then: andon deploy www production --fixes 128".into()],
        output: Some((HostName::new("web7").unwrap(), "POST /order\n409 conflict\n".into())),
        picture: Some(picture),
        asked: None,
    }
}

#[test]
fn a_mail_in_plain_text() {
    insta::assert_snapshot!(format!("Subject: {}\n\n{}", put_back().subject(), put_back().plain()));
}

#[test]
fn a_mail_in_html() {
    insta::assert_snapshot!(put_back().html(Some("picture")));
}

#[test]
fn a_chat() {
    insta::assert_snapshot!(put_back().slack().text);
}

#[test]
fn a_message_for_programs() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&put_back().payload("id")).unwrap());
}

#[test]
fn what_comes_from_outside_stays_text() {
    let mut telling = put_back();
    let hostile = "a\r\nBcc: eve@example.com\r\n\r\n<img src=x onerror=alert(1)> & \"q\" <!channel> @here \u{1b}[2J \u{202e}";
    telling.headline = hostile.into();
    telling.by = hostile.into();
    telling.revision.as_mut().unwrap().subject = hostile.into();
    telling.revision.as_mut().unwrap().author = hostile.into();
    telling.picture.as_mut().unwrap().sentence = hostile.into();
    telling.output.as_mut().unwrap().1 = format!("```{hostile}");
    telling.next = vec![hostile.into()];
    let subject = telling.subject();
    assert!(!subject.contains(['\r', '\n', '\u{1b}', '\u{202e}']), "{subject:?}");
    assert!(subject.chars().count() <= 141);
    let html = telling.html(Some("picture"));
    assert!(!html.contains("<img src=x") && !html.contains("\"q\"") && !html.contains('\u{1b}'), "{html}");
    let slack = telling.slack().text;
    assert!(
        !slack.contains("<!channel>") && !slack.contains("@here") && !slack.contains('\u{1b}'),
        "{slack}"
    );
    assert_eq!(slack.matches("```").count(), 2, "the output cannot end its own frame: {slack}");
    let plain = telling.plain();
    assert!(!plain.contains(['\r', '\u{1b}', '\u{202e}']), "{plain:?}");
    assert!(!plain.lines().any(|line| line.starts_with("Bcc")), "{plain}");
}

fn deployment(state: State) -> Deployment {
    let digest = Digest::of(b"two");
    let request = crate::deployment::Request {
        scope: put_back().scope.unwrap(),
        kind: crate::deployment::Kind::Deploy,
        release: crate::release::Release {
            id: ReleaseId::of(&digest),
            digest,
            packing: crate::release::Packing::Tar,
            packed: crate::quantity::ByteSize(1),
            unpacked: crate::quantity::ByteSize(1),
            revision: put_back().revision,
            signed: None,
        },
        by: Person { name: "ben".into(), at: "desk".into() },
        why: None,
        passes: Default::default(),
        fixes: None,
        allow_bad: None,
        take_over: false,
    };
    let mut deployment = Deployment::new(DeploymentId(7), request, Time(1_795_000_000_000));
    deployment.apply(Time(1_795_000_041_000), &crate::deployment::Fact::Entered { state });
    deployment
}

#[test]
fn people_are_told_when_they_are_needed_and_not_of_what_they_asked_for() {
    use crate::deployment::{Cause, PauseReason, Phase};
    let fault = || Cause::NoProgress { after: std::time::Duration::from_secs(600) };
    let asked = || Cause::Asked { by: None };
    let hosts = || vec![HostName::new("web1").unwrap()];
    let paused = |reason| State::Paused { reason, at: Phase::Wave(1) };
    let floor = |available| paused(PauseReason::Floor { available, floor: 6 });
    let told: Vec<(State, Option<(Kind, bool)>)> = vec![
        (State::RolledBack { cause: fault() }, Some((Kind::PutBack, true))),
        (State::RolledBack { cause: asked() }, None),
        (State::RollbackFailed { cause: fault(), hosts: hosts() }, Some((Kind::NotPutBack, true))),
        (State::RollbackFailed { cause: asked(), hosts: hosts() }, Some((Kind::NotPutBack, false))),
        (State::Failed { cause: fault() }, Some((Kind::Failed, true))),
        (State::Failed { cause: asked() }, None),
        (floor(5), Some((Kind::Paused, false))),
        (paused(PauseReason::Manual), None),
        (State::Succeeded, None),
        (State::Aborted { superseded_by: None }, None),
        (State::Running { phase: Phase::Wave(0) }, None),
        (State::RollingBack { cause: fault() }, None),
    ];
    for (state, wanted) in told {
        let telling = of(&deployment(state.clone()), None);
        let found = telling.as_ref().map(|telling| (telling.kind, telling.blames_the_release));
        assert_eq!(found, wanted, "{state:?}");
    }
    let key = |state| of(&deployment(state), None).unwrap().key;
    assert_eq!(key(State::RolledBack { cause: fault() }), "7/put_back");
    assert_eq!(key(floor(5)), key(floor(5)), "the same pause is told once");
    assert_ne!(key(floor(5)), key(floor(4)));
    let paused = of(&deployment(floor(5)), None).unwrap();
    assert_eq!(paused.next, ["andon resume 7", "andon abort 7 --rollback"]);
    assert!(paused.headline.starts_with("#7 is paused and needs a decision: "), "{}", paused.headline);
}

#[test]
fn a_message_goes_to_the_author_only_when_the_release_is_at_fault() {
    let mail = || crate::line::MailServer {
        host: "localhost".into(),
        port: 587,
        sender: MailAddress::new("andon@example.com").unwrap(),
        login: None,
        tls: true,
        ca: None,
    };
    let hook = crate::line::Hook {
        form: crate::line::HookForm::Slack,
        url: crate::line::HookUrl::Said("https://hooks.example.com/services/sesame".into()),
        secret: None,
        ca: None,
    };
    let oncall = MailAddress::new("oncall@example.com").unwrap();
    let tell = Tell { mail: Some(mail()), author: true, to: vec![oncall.clone(), oncall], team: vec![hook] };
    let to = |telling: &Telling, tell: &Tell| -> Vec<String> {
        routes(telling, tell).iter().map(|route| route.address().to_string()).collect()
    };
    let mut telling = put_back();
    assert_eq!(to(&telling, &tell), ["ana@example.com", "oncall@example.com", "chat at hooks.example.com"]);
    telling.blames_the_release = false;
    assert_eq!(to(&telling, &tell), ["oncall@example.com", "chat at hooks.example.com"]);
    telling.blames_the_release = true;
    telling.revision.as_mut().unwrap().email = Some("ana@example.com, eve@example.com".into());
    assert_eq!(to(&telling, &tell), ["oncall@example.com", "chat at hooks.example.com"]);
    assert_eq!(to(&telling, &Tell { mail: None, ..tell }), ["chat at hooks.example.com"]);
}

#[test]
fn tries_become_rarer_and_end_after_a_day() {
    let route = routes(&put_back(), &one_hook());
    let mut now = Time(1_795_000_000_000);
    let mut dispatch = Dispatch::new(put_back(), route, now);
    let mut pauses = Vec::new();
    while dispatch.waiting() > 0 {
        assert_eq!(dispatch.due(now, false).count(), 1);
        let fact = dispatch.tried(now, 0, Outcome::NotNow("no\r\nanswer \u{1b}".into())).unwrap();
        dispatch.apply(now, &fact);
        match dispatch.next_try() {
            Some(again) => {
                pauses.push(again.since(now).as_secs());
                assert_eq!(dispatch.due(now, false).count(), 0);
                now = again;
            }
            None => break,
        }
    }
    assert_eq!(&pauses[..8], [10, 20, 40, 80, 160, 320, 640, 900]);
    assert!(pauses[8..].iter().all(|pause| *pause == 900) && pauses.len() > 90);
    let state = &dispatch.letters[0].state;
    assert!(
        matches!(state, LetterState::GivenUp { why, .. } if why == "given up after 24 h: no answer \\x1b"),
        "{state:?}"
    );
    assert_eq!(dispatch.tried(now, 0, Outcome::Delivered("late".into())), None, "an end is an end");
    assert_eq!(dispatch.tried(now, 9, Outcome::Delivered("where".into())), None);
}

fn one_hook() -> Tell {
    let hook = crate::line::Hook {
        form: crate::line::HookForm::Json,
        url: crate::line::HookUrl::Said("https://x.example.com/".into()),
        secret: None,
        ca: None,
    };
    Tell { mail: None, author: true, to: Vec::new(), team: vec![hook] }
}

#[test]
fn a_dispatch_is_a_fold_of_what_was_recorded() {
    let telling = put_back();
    let routes = routes(&telling, &one_hook());
    let (at, later) = (Time(1), Time(2));
    let facts = [
        (at, DispatchFact::Queued { telling: Box::new(telling), routes }),
        (later, DispatchFact::Failed { letter: 0, why: "no".into(), again: Time(12) }),
        (Time(12), DispatchFact::Delivered { letter: 0, answer: "yes".into() }),
        (Time(13), DispatchFact::GivenUp { letter: 0, why: "too late".into() }),
        (Time(13), DispatchFact::GivenUp { letter: 7, why: "nowhere".into() }),
    ];
    let json = serde_json::to_string(&facts).unwrap();
    let read: Vec<(Time, DispatchFact)> = serde_json::from_str(&json).unwrap();
    let folded = Dispatch::fold(read.iter().map(|(at, fact)| (*at, fact))).unwrap();
    assert_eq!(folded.letters[0].state, LetterState::Delivered { at: Time(12), answer: "yes".into() });
    assert_eq!((folded.letters[0].tries, folded.waiting()), (2, 0));
    assert_eq!(Dispatch::fold(read[1..].iter().map(|(at, fact)| (*at, fact))), None);
}

#[test]
fn who_asked_for_a_message_reads_how_to_end_it() {
    let asked = "You get this because ana asked for it. To end it: andon tell unsubscribe 3".to_owned();
    let telling = Telling { asked: Some(asked.clone()), picture: None, output: None, ..put_back() };
    assert!(telling.plain().ends_with(&format!("\n{asked}\n")), "{}", telling.plain());
    assert!(telling.html(None).contains(&asked) && telling.slack().text.contains("unsubscribe 3"));
}
