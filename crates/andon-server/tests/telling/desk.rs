//! An outbox with messages to put into it.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use andon_core::line::{MailAddress, MailServer, Tell};
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::release::Revision;
use andon_core::scope::ScopeName;
use andon_core::telling::subscriptions::{Subscription, SubscriptionId};
use andon_core::telling::{Letter, LetterState, Telling, sample};
use andon_core::time::Time;
use andon_server::outbox::Round;
use andon_server::{Outbox, Records};
use andon_store::MemoryLedger;

/// How long a round of tries may take here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(1_795_000_000_000) };
}

/// The clock of this test: each has a thread of its own.
fn now() -> Time {
    Time(NOW.get())
}

/// Lets time pass for this test.
pub(crate) fn pass(span: Duration) {
    NOW.set(NOW.get() + i64::try_from(span.as_millis()).unwrap());
}

pub(crate) struct Desk {
    pub(crate) outbox: Outbox,
    records: Records,
    data: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let me = Person { name: "ana".into(), at: "laptop".into() };
        let records = Records::new(Arc::new(MemoryLedger::new("test")));
        let outbox = Outbox::new(records.clone(), data.path(), me, now);
        Self { outbox, records, data }
    }

    pub(crate) fn secret(&self, name: &str, value: &str) {
        let directory = self.data.path().join("secrets");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), value).unwrap();
        std::fs::set_permissions(directory.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Takes a wish of a person, now.
    pub(crate) async fn subscribe(&self, wish: Subscription) -> SubscriptionId {
        let person = wish.person.clone();
        self.records.subscribe(now(), &person, wish).await.unwrap()
    }

    pub(crate) async fn unsubscribe(&self, id: SubscriptionId) {
        self.records.unsubscribe(now(), "ana", id).await.unwrap();
    }

    pub(crate) async fn queue(&self, telling: &Telling, tell: &Tell) -> bool {
        self.outbox.queue(telling.clone(), tell).await.unwrap()
    }

    pub(crate) async fn deliver(&self, all: bool) -> Round {
        self.outbox.deliver(all, PATIENCE, None).await.unwrap()
    }

    /// The ways of the only message.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let mut all = self.outbox.list("", 10).await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).letters
    }

    /// What was said on the only way of the only message, and how often it was tried.
    pub(crate) async fn said(&self) -> (LetterState, u32) {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = letters.remove(0);
        (letter.state, letter.tries)
    }

    /// Everything that is recorded, as text.
    pub(crate) async fn ledger(&self) -> String {
        let records = self.records.ledger().tail(0, 1000).await.unwrap();
        format!("{records:?}")
    }
}

/// Only the reader `to` is told.
pub(crate) fn mail_to(server: MailServer, to: &str) -> Tell {
    Tell { mail: Some(server), author: false, to: vec![MailAddress::new(to).unwrap()], team: Vec::new() }
}

/// A server on this machine under the name that its certificate is for.
pub(crate) fn mail_server(port: u16, ca: Option<&str>) -> MailServer {
    let sender = MailAddress::new("andon@example.com").unwrap();
    let ca = ca.map(str::to_owned);
    MailServer { host: "localhost".into(), port, sender, login: None, tls: true, ca }
}

/// A message about a bad release, with a commit that somebody made with ill intent.
pub(crate) fn telling() -> Telling {
    let scope = ScopeName {
        service: ServiceName::new("www").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
    };
    let revision = Revision {
        commit: "4c1d9e2".into(),
        subject: "checkout: <script>alert(1)</script> é\r\nBcc: eve@example.com".into(),
        author: "Ana \u{1b}[2J".into(),
        email: Some("ana@example.com".into()),
        at: Time(0),
    };
    let by = Person { name: "ana".into(), at: "laptop".into() };
    let kind = andon_core::telling::Kind::PutBack;
    Telling {
        kind,
        key: "128/put_back".into(),
        ..sample(scope, Some(revision), &by, Time(1_795_000_000_000))
    }
}
