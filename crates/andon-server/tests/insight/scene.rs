//! A server as `andon server` makes it, over a ledger in memory, and somebody who looks at its pages.

use std::sync::Arc;
use std::time::Duration;

use andon_core::deployment::{Course, DeploymentId, HostCounts, Kind, State, Summary};
use andon_core::digest::Digest;
use andon_core::line::Line;
use andon_core::name::{EnvironmentName, ServiceName};
use andon_core::person::Person;
use andon_core::release::{ReleaseId, Revision};
use andon_core::scope::ScopeName;
use andon_core::time::Time;
use andon_server::access::{Access, ServerSettings};
use andon_server::census::Census;
use andon_server::chronicles::Chronicles;
use andon_server::evaluations::Evaluations;
use andon_server::http::{self, Desk, Doors};
use andon_server::lines::{Exceptions, LineKeeper, LineOnDisk};
use andon_server::registers::Registers;
use andon_server::senses::PushReceiver;
use andon_server::workshop::Workshop;
use andon_server::{Controller, Records, clock};
use andon_store::{Batch, Ledger, MemoryLedger, StreamAppend, ViewUpdate};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::Fleet;

pub(crate) const WWW: &str = r#"
web = group("web", ["web%d.example.com" % n for n in range(1, 5)])
service("www", hosts = {"production": web}, release = directory("build"),
    run = process(exec = "{release}/www --port {port}", ports = [8080]),
    rollout = rollout(min_healthy_time = "0s", bake = "0s"))
"#;

pub(crate) struct Scene {
    pub(crate) fleet: Fleet,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) chronicle: Chronicles,
    pub(crate) census: Census,
    controller: Controller,
    line: Option<Arc<LineOnDisk>>,
    address: std::net::SocketAddr,
    dir: TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn says(&self, words: &str) {
        assert!(self.body.contains(words), "{words:?} is missing in:\n{}", self.body);
    }

    pub(crate) fn says_not(&self, words: &str) {
        assert!(!self.body.contains(words), "{words:?} should not be in:\n{}", self.body);
    }
}

impl Scene {
    /// A server with this line; with none, one whose line cannot be read.
    pub(crate) async fn new(line: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let line = line.map(|line| {
            std::fs::create_dir(dir.path().join("build")).unwrap();
            std::fs::write(dir.path().join("line.star"), line).unwrap();
            Arc::new(LineOnDisk::read(&dir.path().join("line.star")).unwrap())
        });
        let fleet = Fleet::default();
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new("ledger"));
        let me = Person { name: "ana".into(), at: "desk".into() };
        let records = Records::new(Arc::clone(&ledger));
        let controller = Controller::new(records.clone(), Arc::new(fleet.clone()), dir.path().to_owned(), me);
        let chronicle = Chronicles::start(records.clone()).await.unwrap();
        let path = dir.path().join("line.star");
        let there = line.is_some();
        let keeper = LineKeeper::open(Box::new(move || match there {
            true => Ok(path.clone()),
            false => Err("error: line.star cannot be read\nmore".to_owned()),
        }));
        let census = Census::start(keeper.clone(), &controller, &chronicle, clock::now);
        let receiver = PushReceiver::start(&dir.path().join("pushed"), None, None).await.unwrap();
        let (evaluations, _) = Evaluations::open(dir.path().join("evaluations")).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = ServerSettings::default();
        let access = Access::open(records, dir.path(), settings.session).unwrap();
        let desk = Desk {
            controller: controller.clone(),
            receiver: Arc::new(receiver),
            evaluations,
            line: keeper,
            workshop: Workshop::default(),
            registers: Registers::default(),
            chronicle: chronicle.clone(),
            census: census.clone(),
            doors: Arc::new(Doors::new(settings, address, None, None, access).unwrap()),
        };
        tokio::spawn(http::serve(listener, desk, None, std::future::pending()));
        Self { fleet, ledger, chronicle, census, controller, line, address, dir }
    }

    pub(crate) fn line(&self) -> &Line {
        self.line.as_ref().unwrap().line()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: body.to_owned() }
    }

    pub(crate) async fn page(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.page(path).await.body).unwrap()
    }

    /// Deploys a release with this content, for real.
    pub(crate) async fn deploy(&self, content: &str) -> (State, ReleaseId) {
        let line = self.line.as_ref().unwrap();
        std::fs::write(self.dir.path().join("build/www"), content).unwrap();
        let scope = scope("www", "production");
        let (service, _) = line.parts(&scope).unwrap();
        let mut release = line.release(self.controller.artifacts(), service).await.unwrap();
        release.revision = Some(revision(earlier(clock::now(), HOUR)));
        let id = release.id.clone();
        let wish = line.wish(&scope, Kind::Deploy, release, Exceptions::default()).unwrap();
        let ended = self.controller.deploy(wish).await.unwrap().end.await.unwrap().unwrap();
        (ended.state, id)
    }

    /// Waits until every host of the line was asked.
    pub(crate) async fn counted(&self) {
        let scopes: Vec<ScopeName> = self.line.as_ref().unwrap().scopes().collect();
        let mut changes = self.census.changes();
        let all = changes.wait_for(|counted| scopes.iter().all(|scope| counted.scopes.contains_key(scope)));
        tokio::time::timeout(Duration::from_secs(300), all).await.unwrap().unwrap();
    }

    /// Waits until a page says something.
    pub(crate) async fn until_page_says(&self, path: &str, words: &str) -> Answer {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.page(path).await;
            if answer.body.contains(words) || tokio::time::Instant::now() > deadline {
                answer.says(words);
                return answer;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Records deployments as a driver leaves them, without driving them.
    pub(crate) async fn record(&self, summaries: &[Summary]) {
        for part in summaries.chunks(1_000) {
            let mut views = Vec::new();
            let mut appends = Vec::new();
            for summary in part {
                let id = summary.id;
                views.push(ViewUpdate {
                    view: "deployment".into(),
                    key: id.0.to_string(),
                    rank: i64::try_from(id.0).unwrap(),
                    body: serde_json::to_value(summary).unwrap(),
                });
                appends.push(StreamAppend { stream: id.stream(), expected: 0, facts: vec![id.0.into()] });
            }
            let batch = Batch { at: clock::now(), by: "ana".into(), appends, views };
            self.ledger.append(batch).await.unwrap();
        }
    }
}

const HOUR: i64 = 3_600_000;

fn earlier(moment: Time, millis: i64) -> Time {
    Time(moment.0 - millis)
}

fn revision(at: Time) -> Revision {
    Revision {
        commit: "4c1d9e2".into(),
        subject: "checkout: <b>retry</b> on 409".into(),
        author: "bea".into(),
        email: None,
        at,
    }
}

pub(crate) fn scope(service: &str, environment: &str) -> ScopeName {
    ScopeName {
        service: ServiceName::new(service).unwrap(),
        environment: EnvironmentName::new(environment).unwrap(),
    }
}

/// A deployment of two hours ago and more, one an hour.
pub(crate) fn past(id: u64, of: u64, scope: ScopeName, state: &str) -> Summary {
    let accepted = earlier(clock::now(), i64::try_from(of - id + 2).unwrap() * HOUR);
    let later = |minutes: u64| Some(accepted + Duration::from_secs(60 * minutes));
    Summary {
        id: DeploymentId(id),
        scope,
        kind: Kind::Deploy,
        release: ReleaseId::of(&Digest::of(&id.to_le_bytes())),
        from: None,
        revision: Some(revision(earlier(accepted, HOUR))),
        by: "ana".into(),
        why: None,
        state: state.into(),
        reason: None,
        accepted,
        started: later(1),
        ended: later(9),
        hosts: HostCounts { total: 4, changed: 4, succeeded: 4, ..HostCounts::default() },
        course: Course { exposed: Some(4), canary: Some(1), trouble: later(4), ..Course::default() },
    }
}
