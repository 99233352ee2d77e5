//! A small service on a host of its own: a directory, a placement, releases to put there.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use andon_api::agent::{ArtifactState, Order};
use andon_archive::Limits;
use andon_core::digest::Digest;
use andon_core::host::{Authority, Fence, Outcome, Placement, Step, TestMode, Token, TokenStatus};
use andon_core::line::{Health, Probe, ProductionTest, Run, Supervision, Template};
use andon_core::name::{HostName, ServiceName};
use andon_core::quantity::ByteSize;
use andon_core::release::{Packing, Release, ReleaseId};
use tempfile::TempDir;

use super::driver::Session;

/// A service that answers HTTP with its release's `VERSION`.
const SERVER: &str = "\
import http.server, os, sys
text = open(os.path.join(os.path.dirname(__file__), 'VERSION'), 'rb').read()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', str(len(text))); self.end_headers()
        self.wfile.write(text)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

/// How most steps should end.
pub(crate) const SUCCEEDED: TokenStatus = TokenStatus::Finished(Outcome::Succeeded);

/// A step that leaves a trace when it begins, and ends when the trace `go` appears.
pub(crate) const GATED: &str =
    "echo x >> $ROOT/begun; while [ ! -e $ROOT/go ]; do sleep 0.02; done; echo x >> $ROOT/ended";

/// One service on one host. What runs is stopped when it is dropped.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) placement: Placement,
    attempts: std::cell::Cell<u32>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let words = ["python3", "{release}/server.py", "{port}"];
        let run = Run {
            by: Supervision::Own { command: words.map(|word| Template::new(word).unwrap()).to_vec() },
            ports: vec![port],
            environment: Default::default(),
            stop_timeout: Duration::from_secs(5),
        };
        let health = Health {
            probe: Probe::Http {
                path: "/".to_owned(),
                status: None,
                contains: None,
                host_header: None,
                port: None,
            },
            interval: Duration::from_millis(50),
            timeout: Duration::from_secs(5),
            in_a_row: 1,
        };
        let placement = Placement {
            service: ServiceName::new("www").unwrap(),
            host: HostName::new("web1").unwrap(),
            root: dir.path().join("srv/www"),
            instances: run.instances(0),
            run,
            health: Some(health),
            tests: vec![],
        };
        Self { dir, placement, attempts: Default::default() }
    }

    /// The bytes of a release whose service answers `version`, and the release.
    pub(crate) fn release(&self, version: &str) -> (Vec<u8>, Release) {
        let content = self.dir.path().join(format!("content-{version}"));
        fs::create_dir_all(&content).unwrap();
        fs::write(content.join("server.py"), SERVER).unwrap();
        fs::write(content.join("VERSION"), version).unwrap();
        self.packed(&content)
    }

    /// The bytes of a release made from a directory, and the release.
    pub(crate) fn packed(&self, content: &Path) -> (Vec<u8>, Release) {
        let archive = content.with_extension("tar.zst");
        let scanned = andon_archive::pack(content, &archive, &Limits::default()).unwrap();
        let bytes = fs::read(archive).unwrap();
        let release = release_of(&bytes, scanned.packing, scanned.unpacked);
        (bytes, release)
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.placement.root.join(below)
    }

    /// An order of a step, with a token of its own.
    pub(crate) fn order(&self, step: Step) -> Order {
        self.attempts.set(self.attempts.get() + 1);
        let authority = authority(1);
        let host = &self.placement.host;
        let token = Token::new(7, authority.fence, host, step.stage(), false, self.attempts.get());
        let timeout = Duration::from_secs(60);
        Order { token, authority, placement: self.placement.clone(), step, timeout }
    }

    pub(crate) fn prepare(&self, release: &Release) -> Order {
        self.order(Step::Prepare { release: release.clone(), keep: vec![] })
    }

    pub(crate) fn activate(&self, release: &Release) -> Order {
        self.order(Step::Activate { release: release.id.clone() })
    }

    pub(crate) fn verify(&self, release: &Release) -> Order {
        let healthy_deadline = Duration::from_secs(30);
        self.order(Step::Verify { release: release.id.clone(), healthy_deadline, tests: TestMode::Decide })
    }

    /// Uploads and prepares a release, and sees that it went well.
    pub(crate) fn bring(&self, session: &mut Session, version: &str) -> Release {
        let (bytes, release) = self.release(version);
        assert_eq!(session.upload(&self.placement, &authority(1), &bytes), Ok(ArtifactState::Present));
        let seen = session.carry_out(&self.prepare(&release)).unwrap();
        assert_eq!(seen.status, SUCCEEDED);
        release
    }

    /// Brings a release and runs it.
    pub(crate) fn run(&self, session: &mut Session, version: &str) -> Release {
        let release = self.bring(session, version);
        for order in [self.activate(&release), self.verify(&release)] {
            let seen = session.carry_out(&order).unwrap();
            assert_eq!(seen.status, SUCCEEDED, "{:?}", order.step.stage());
        }
        release
    }

    /// A verification whose production test is `script`, with `$ROOT` as the place for its traces.
    pub(crate) fn scripted(&mut self, release: &Release, script: &str) -> Order {
        let content = format!("#!/bin/sh\nROOT='{}'\n{script}\n", self.dir.path().display());
        self.placement.tests = vec![ProductionTest {
            name: "scripted".to_owned(),
            probe: Probe::Script {
                name: "scripted".to_owned(),
                content,
                args: vec![],
                secrets: BTreeMap::new(),
            },
            timeout: Duration::from_secs(600),
        }];
        self.verify(release)
    }

    pub(crate) fn trace(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How often a script wrote a line into a trace.
    pub(crate) fn lines(&self, name: &str) -> usize {
        fs::read_to_string(self.trace(name)).map_or(0, |text| text.lines().count())
    }

    /// The record of a step on disk.
    pub(crate) fn record(&self, token: &Token) -> PathBuf {
        self.path(".andon/steps").join(token.as_str())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = andon_agent::run::stop(&self.placement, &mut std::io::sink());
        // Directories that a test closed must not outlive it.
        let _ = fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o755));
    }
}

/// The release that `bytes` are, whatever they are.
pub(crate) fn release_of(bytes: &[u8], packing: Packing, unpacked: ByteSize) -> Release {
    let digest = Digest::of(bytes);
    Release {
        id: ReleaseId::of(&digest),
        digest,
        packing,
        packed: ByteSize(bytes.len() as u64),
        unpacked,
        revision: None,
        signed: None,
    }
}

/// The authority of one ledger.
pub(crate) fn authority(fence: u64) -> Authority {
    Authority {
        ledger: "ours".to_owned(),
        fence: Fence(fence),
        deployment: 7,
        by: "ada".to_owned(),
        at: "desk".to_owned(),
        since: None,
        take_over: false,
        round: 0,
    }
}

/// A token made by hand.
pub(crate) fn token(text: &str) -> Token {
    Token::try_from(text.to_owned()).unwrap()
}
