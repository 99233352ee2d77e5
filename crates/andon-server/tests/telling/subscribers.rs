//! What people asked to be told for themselves: through a real mail server and a web server, once each, until they end it.

use std::time::Duration;

use andon_core::line::{MailServer, Tell};
use andon_core::telling::subscriptions::{Occasion, Subscription, SubscriptionId, Way};
use andon_core::telling::{Kind, LetterState, Telling};
use andon_testbed::{Manners, SmtpServer};
use serde_json::Value;

use crate::desk::{Desk, mail_server, mail_to, pass, telling};
use crate::hooks::{answer, serve};

fn wish(person: &str, on: &[Occasion], way: Way, to: &str, server: Option<&MailServer>) -> Subscription {
    Subscription {
        person: person.to_owned(),
        services: [].into(),
        environments: [].into(),
        occasions: on.iter().copied().collect(),
        route: way.to(to, server).unwrap(),
    }
}

/// The recipients and the texts of all mails, in the order of the recipients.
fn mails(server: &SmtpServer) -> Vec<(String, String)> {
    let read = |text: &String| {
        let mail: Value = serde_json::from_str(text).unwrap();
        let parts = mail["parts"].as_array().unwrap();
        let plain = parts.iter().find(|part| part["type"] == "text/plain").unwrap();
        (mail["to"][0].as_str().unwrap().to_owned(), plain["text"].as_str().unwrap().to_owned())
    };
    let mut mails: Vec<_> = server.mails().iter().map(read).collect();
    mails.sort();
    mails
}

#[tokio::test]
async fn who_asked_gets_one_mail_of_their_own_with_the_way_to_end_it() {
    let server = SmtpServer::start(Manners::default()).unwrap();
    let through = mail_server(server.port(), Some(server.certificate()));
    let desk = Desk::new();
    let bad = [Occasion::RolledBack];
    desk.subscribe(wish("ben", &bad, Way::Mail, "ben@example.com", Some(&through))).await;
    desk.subscribe(wish("cleo", &[Occasion::Began], Way::Mail, "cleo@example.com", Some(&through))).await;
    // Who is told by the line is not told twice.
    desk.subscribe(wish("oncall", &bad, Way::Mail, "oncall@example.com", Some(&through))).await;
    let tell = mail_to(through, "oncall@example.com");
    assert!(desk.queue(&telling(), &tell).await);
    assert!(!desk.queue(&telling(), &tell).await);
    assert_eq!(desk.deliver(false).await.delivered, 2, "{}", server.log());
    assert_eq!(desk.deliver(true).await.delivered, 0);
    let mails = mails(&server);
    let to: Vec<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, ["ben@example.com", "oncall@example.com"], "{}", server.log());
    assert!(
        mails[0].1.contains("because ben asked for it") && mails[0].1.contains("andon tell unsubscribe 1")
    );
    assert!(!mails[1].1.contains("unsubscribe"), "the line tells without being asked");
    // The next one is told to nobody who has ended it.
    desk.unsubscribe(SubscriptionId(1)).await;
    let next = Telling { key: "129/put_back".into(), ..telling() };
    desk.queue(&next, &tell).await;
    assert_eq!(desk.deliver(false).await.delivered, 1);
}

#[tokio::test]
async fn a_line_that_tells_nobody_still_tells_who_asked_until_it_arrives() {
    let (port, heard) = serve(vec![answer("500 Oh", "not today"), answer("200 OK", "")]);
    let desk = Desk::new();
    desk.secret("tell-ben", &format!("http://127.0.0.1:{port}/ben"));
    desk.subscribe(wish("ben", &[Occasion::EndedWell], Way::Webhook, "tell-ben", None)).await;
    let well = Telling { kind: Kind::Succeeded, key: "130/succeeded".into(), ..telling() };
    let nobody = Tell { mail: None, author: true, to: Vec::new(), team: Vec::new() };
    assert!(!desk.queue(&well, &nobody).await, "the line tells nobody");
    assert_eq!(desk.deliver(false).await.waiting, 1);
    let (state, _) = desk.said().await;
    assert!(
        matches!(&state, LetterState::Waiting { why: Some(why), .. } if why.contains("500")),
        "{state:?}"
    );
    pass(Duration::from_secs(11));
    assert_eq!(desk.deliver(false).await.delivered, 1, "{:?}", desk.said().await);
    let (first, second) = (heard.recv().unwrap(), heard.recv().unwrap());
    assert_eq!(
        first.header("andon-delivery"),
        second.header("andon-delivery"),
        "who hears it twice can tell"
    );
    assert_eq!(second.header("andon-event"), "succeeded");
    assert!(!desk.ledger().await.contains(&format!("{port}/ben")), "the address stays secret");
}

#[tokio::test]
async fn nobody_is_told_what_was_before_they_asked() {
    let desk = Desk::new();
    let before = telling();
    pass(Duration::from_secs(3600));
    desk.subscribe(wish("ben", &[Occasion::RolledBack], Way::Webhook, "tell-ben", None)).await;
    let nobody = Tell { mail: None, author: true, to: Vec::new(), team: Vec::new() };
    desk.queue(&before, &nobody).await;
    assert_eq!(desk.deliver(false).await.waiting, 0);
}
