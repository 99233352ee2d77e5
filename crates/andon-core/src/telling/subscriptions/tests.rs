//! Who is told, who is not, and who is told once.

use super::*;
use crate::line::{HookForm, MailServer};
use crate::name::SecretName;
use crate::person::Person;
use crate::telling::sample;

fn scope(service: &str, environment: &str) -> ScopeName {
    ScopeName {
        service: ServiceName::new(service).unwrap(),
        environment: EnvironmentName::new(environment).unwrap(),
    }
}

fn server() -> MailServer {
    let sender = MailAddress::new("andon@example.com").unwrap();
    MailServer { host: "mail.example.com".into(), port: 25, sender, login: None, tls: true, ca: None }
}

fn mail(to: &str) -> Route {
    Route::Mail { server: server(), to: MailAddress::new(to).unwrap() }
}

fn hook(url: HookUrl) -> Route {
    Route::Hook(Hook { form: HookForm::Json, url, secret: None, ca: None })
}

fn wish(person: &str, occasions: &[Occasion], route: Route) -> Subscription {
    let occasions = occasions.iter().copied().collect();
    let (services, environments) = (BTreeSet::new(), BTreeSet::new());
    Subscription { person: person.to_owned(), services, environments, occasions, route }
}

fn only(service: &str, environment: &str, wish: Subscription) -> Subscription {
    let scope = scope(service, environment);
    Subscription { services: [scope.service].into(), environments: [scope.environment].into(), ..wish }
}

fn telling(kind: Kind, scope: ScopeName, at: Time) -> Telling {
    let by = Person { name: "ana".into(), at: "laptop".into() };
    Telling { kind, key: format!("7/{}", kind.name()), at, ..sample(scope, None, &by, at) }
}

/// All of these, taken at once.
fn all(wishes: impl IntoIterator<Item = Subscription>) -> Subscriptions {
    let mut all = Subscriptions::default();
    for wish in wishes {
        let fact = all.subscribe(wish).unwrap();
        all.apply(Time(10), &fact);
    }
    all
}

fn told(all: &Subscriptions, telling: &Telling) -> Vec<String> {
    all.letters(telling, &[]).into_iter().map(|(telling, _)| telling.key).collect()
}

#[test]
fn a_wish_is_about_its_services_its_environments_and_its_occasions_alone() {
    let all = all([
        wish("ana", &[Occasion::Began], mail("ana@example.com")),
        only(
            "www",
            "production",
            wish("ben", &[Occasion::Began, Occasion::EndedWell], mail("ben@example.com")),
        ),
    ]);
    let www = |environment| scope("www", environment);
    assert_eq!(
        told(&all, &telling(Kind::Began, www("production"), Time(20))),
        ["7/began/to/ana", "7/began/to/ben"]
    );
    assert_eq!(told(&all, &telling(Kind::Began, www("staging"), Time(20))), ["7/began/to/ana"]);
    assert_eq!(told(&all, &telling(Kind::Succeeded, www("production"), Time(20))), ["7/succeeded/to/ben"]);
    assert_eq!(told(&all, &telling(Kind::Succeeded, scope("shop", "production"), Time(20))), [""; 0]);
    assert_eq!(told(&all, &telling(Kind::Test, www("production"), Time(20))), [""; 0]);
}

#[test]
fn what_was_before_a_wish_and_what_is_after_its_end_is_not_told() {
    let mut all = all([wish("ana", &[Occasion::LineStopped], mail("ana@example.com"))]);
    let stopped = |at| telling(Kind::LineStopped, scope("www", "production"), Time(at));
    assert_eq!(told(&all, &stopped(9)), [""; 0], "a process that catches up tells nothing of old");
    assert_eq!(told(&all, &stopped(10)).len(), 1);
    let fact = all.unsubscribe(SubscriptionId(1)).unwrap();
    all.apply(Time(30), &fact);
    assert!(all.is_empty() && told(&all, &stopped(40)).is_empty());
    assert_eq!(all.unsubscribe(SubscriptionId(1)), Err(SubscriptionError::Unknown(SubscriptionId(1))));
    let again = all.subscribe(wish("ana", &[Occasion::Began], mail("ana@example.com"))).unwrap();
    assert!(
        matches!(again, SubscriptionFact::Subscribed { id: SubscriptionId(2), .. }),
        "no number comes twice"
    );
}

#[test]
fn nobody_is_told_twice_by_the_same_way() {
    let chat = hook(HookUrl::Said("https://chat.example.com/hooks/ana".into()));
    let all = all([
        wish("ana", &[Occasion::Began], mail("ana@example.com")),
        wish("ana", &[Occasion::Began, Occasion::EndedWell], mail("Ana@example.com")),
        wish("ana", &[Occasion::Began], chat.clone()),
    ]);
    let began = telling(Kind::Began, scope("www", "production"), Time(20));
    let letters = all.letters(&began, &[]);
    let [(letter, routes)] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(routes, &[mail("ana@example.com"), chat.clone()]);
    let asked = letter.asked.as_deref().unwrap();
    assert!(asked.contains("andon tell unsubscribe 1; andon tell unsubscribe 3"), "{asked}");
    // Where the line itself tells, the person is told already.
    let [(_, routes)] = &all.letters(&began, &[mail("ANA@example.com")])[..] else { panic!("one") };
    assert_eq!(routes, std::slice::from_ref(&chat));
    assert!(all.letters(&began, &[mail("ana@example.com"), chat]).is_empty());
}

#[test]
fn a_wish_that_would_do_harm_is_refused() {
    let none = Subscriptions::default();
    let refused = |wish: Subscription| none.subscribe(wish).unwrap_err();
    let to = || mail("ana@example.com");
    assert_eq!(refused(wish("ana", &[], to())), SubscriptionError::NoOccasion);
    for person in ["", " ", "a/b", "a\nb", &"x".repeat(65)] {
        assert_eq!(refused(wish(person, &[Occasion::Began], to())), SubscriptionError::Person, "{person:?}");
    }
    // Nobody gets the server to call itself, to call in clear, or to use a secret that is not for this.
    for url in [
        "http://127.0.0.1:8420/v1/line",
        "https://localhost/x",
        "https://[::1]:8420/",
        "https://a.localhost/",
        "https://LOCALHOST/x",
        "https://localhost./x",
        "https://A.LocalHost.:8420/x",
        "https://[::1]/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.7.7.7:8420/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0.0.0.0/",
        "https://0/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]:8420/",
        "https://[::ffff:7f00:1]/",
        "https://[::1%1]/",
    ] {
        let refused = refused(wish("ana", &[Occasion::Began], hook(HookUrl::Said(url.into()))));
        assert_eq!(refused, SubscriptionError::ThisMachine, "{url}");
    }
    for url in [
        "https://10.0.0.7:8443/x",
        "https://[2001:db8::1]/x",
        "https://7.example.com/x",
        "https://localhost.example.com/",
    ] {
        let hook = hook(HookUrl::Said(url.into()));
        assert!(none.subscribe(wish("ana", &[Occasion::Began], hook)).is_ok(), "{url}");
    }
    let clear = refused(wish("ana", &[Occasion::Began], hook(HookUrl::Said("http://x.example.com/".into()))));
    assert_eq!(clear, SubscriptionError::Hook(HookUrlError::InClear));
    let secret = |name: &str| hook(HookUrl::Secret(SecretName::new(name).unwrap()));
    assert!(matches!(refused(wish("ana", &[Occasion::Began], secret("smtp"))), SubscriptionError::Secret(_)));
    assert!(none.subscribe(wish("ana", &[Occasion::Began], secret("tell-ana"))).is_ok());
}

#[test]
fn there_is_an_end_to_the_wishes_of_one_person_and_the_same_one_is_not_taken_twice() {
    let mut all = Subscriptions::default();
    for number in 0..MOST_EACH {
        let wish = wish("ana", &[Occasion::Began], mail(&format!("ana{number}@example.com")));
        let fact = all.subscribe(wish).unwrap();
        all.apply(Time(1), &fact);
    }
    let same = wish("ana", &[Occasion::Began], mail("ana3@example.com"));
    assert_eq!(all.subscribe(same), Err(SubscriptionError::Twice(SubscriptionId(4))));
    let more = wish("ana", &[Occasion::Began], mail("more@example.com"));
    assert_eq!(all.subscribe(more), Err(SubscriptionError::TooManyOfOne("ana".into())));
    assert!(all.subscribe(wish("ben", &[Occasion::Began], mail("ben@example.com"))).is_ok());
}

#[test]
fn every_occasion_is_read_as_it_is_written() {
    for occasion in Occasion::ALL {
        assert_eq!(occasion.name().parse(), Ok(occasion));
        assert_eq!(serde_json::to_value(occasion).unwrap(), occasion.name());
    }
    assert!("began ".parse::<Occasion>().unwrap_err().to_string().contains("rolled-back"));
}
