//! Users and tokens with a ledger in memory and secret material in a directory.

use std::sync::atomic::{AtomicI64, Ordering};

use andon_core::cord::{CordFact, Puller};
use andon_core::line::{Hook, HookForm, HookUrl};
use andon_core::name::SecretName;
use andon_core::person::Person;
use andon_core::telling::Route;
use andon_core::telling::subscriptions::{Occasion, Subscription};
use andon_store::MemoryLedger;

use super::*;

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn open(dir: &Path, clock: Clock) -> Access {
    let records = Records::new(Arc::new(MemoryLedger::new("ledger")));
    let vault = Vault::new(dir.join("access"));
    let sessions = Sessions::open(vault.directory(), SessionSettings::default()).unwrap();
    let known = Mutex::new((0, Versioned { value: Arc::default(), seq: 0 }));
    Access(Arc::new(Inner {
        records,
        vault,
        known,
        sessions,
        checks: Arc::new(Semaphore::new(CHECKS)),
        clock,
    }))
}

/// Ana, who looks after users, and ben, who reads.
async fn two(dir: &Path, clock: Clock) -> Access {
    let access = open(dir, clock);
    access.add_user("test", &user("ana"), &["admin".parse().unwrap()], None).await.unwrap();
    access.add_user("test", &user("ben"), &[], None).await.unwrap();
    access
}

async fn subscribe(records: &Records, person: &str) {
    let url = HookUrl::Secret(SecretName::new("tell-chat").unwrap());
    let subscription = Subscription {
        person: person.to_owned(),
        services: [].into(),
        environments: [].into(),
        occasions: [Occasion::Began].into(),
        route: Route::Hook(Hook { form: HookForm::Json, url, secret: None, ca: None }),
    };
    records.subscribe(Time(1), person, subscription).await.unwrap();
}

#[tokio::test]
async fn who_is_removed_is_told_of_nothing_any_more_and_who_stays_goes_on_being_told() {
    let dir = tempfile::tempdir().unwrap();
    let access = two(dir.path(), clock::now).await;
    let records = &access.0.records;
    subscribe(records, "ana").await;
    subscribe(records, "ben").await;
    let refused = access.remove_user("ana", &user("ana")).await.unwrap_err();
    assert!(matches!(refused, AccessError::Refused(AccessRefusal::LastAdmin(_))), "{refused}");
    access.remove_user("ana", &user("ben")).await.unwrap();
    let all = records.subscriptions().await.unwrap().value;
    assert_eq!((all.of("ana").count(), all.of("ben").count()), (1, 0));
    // A namesake later is told of nothing that they did not ask for.
    access.add_user("ana", &user("ben"), &[], None).await.unwrap();
    assert_eq!(records.subscriptions().await.unwrap().value.of("ben").count(), 0);
}

#[tokio::test]
async fn what_is_recorded_of_other_things_copies_no_users() {
    let dir = tempfile::tempdir().unwrap();
    let access = two(dir.path(), clock::now).await;
    let before = access.directory().await.unwrap();
    let records = &access.0.records;
    let mut cord = records.cord().await.unwrap();
    let by = Puller::Person { person: Person { name: "ana".into(), at: "here".into() } };
    let fact = CordFact::Started { by, why: "it was the index".into() };
    records.commit_cord(Time(1), "ana", &mut cord, &[fact]).await.unwrap();
    assert!(Arc::ptr_eq(&before, &access.directory().await.unwrap()));
    access.add_user("ana", &user("cid"), &[], None).await.unwrap();
    let after = access.directory().await.unwrap();
    assert!(
        after.user("cid").is_some() && before.user("cid").is_none(),
        "who read before keeps what they read"
    );
}

static SECONDS: AtomicI64 = AtomicI64::new(0);

fn seconds() -> Time {
    Time(SECONDS.load(Ordering::SeqCst) * 1000)
}

#[tokio::test]
async fn nothing_is_kept_of_tokens_that_expired_and_made_room() {
    let dir = tempfile::tempdir().unwrap();
    let access = two(dir.path(), seconds).await;
    let ben = user("ben");
    let make = || access.make_token("ben", &ben, "ci", &[], Duration::from_secs(10));
    for _ in 0..andon_core::access::MOST_TOKENS {
        make().await.unwrap();
    }
    assert!(make().await.is_err(), "none of them has expired");
    SECONDS.store(20, Ordering::SeqCst);
    let made = make().await.unwrap();
    assert!(access.bearer(&made.text).await.unwrap().is_some());
    let kept = std::fs::read_dir(dir.path().join("access/secrets")).unwrap().count();
    assert_eq!(kept, andon_core::access::MOST_TOKENS);
}
