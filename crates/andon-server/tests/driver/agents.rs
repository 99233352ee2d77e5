//! Agents that misbehave: real processes behind real pipes, that say what a script has prepared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_api::agent::{FromHost, PROTOCOL, Refusal, Subject, ToHost};
use andon_api::frame;
use andon_core::host::{HostFacts, Placement};
use andon_core::line::{Host, Rollout, Transport};
use andon_core::name::HostName;
use andon_core::plan::placement;
use andon_core::quantity::ByteSize;
use andon_core::vitals::HostVitals;
use andon_server::hosts::{AgentHosts, Agents, HostError, Hosts, LocalAgent, local_root};
use andon_server::ssh::SshOptions;

use crate::world::service;

/// A directory with prepared messages, and the script that plays an agent in it. Its first start runs the script with
/// `$1` being 1, its second with 2, and so on.
struct Stage {
    dir: tempfile::TempDir,
    placement: Placement,
}

impl Stage {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let service = service(&[host("web1")], &Rollout::default());
        let stage = Self { placement: placement(&service, &host("web1")), dir };
        let hello = FromHost::Hello {
            protocol: PROTOCOL,
            version: "test".into(),
            boot_id: "boot".into(),
            arch: "x86_64".into(),
        };
        stage.write("hello", &frame::encode(&hello).unwrap());
        for id in 1..=3 {
            let facts = FromHost::Facts { id, facts: Box::new(facts(&format!("answer {id}"))) };
            stage.write(&format!("facts{id}"), &frame::encode(&facts).unwrap());
        }
        let counted = "cd \"$(dirname \"$0\")\"; n=1; until mkdir start$n 2>/dev/null; do n=$((n+1)); done";
        stage.write("agent", format!("{counted}\nset -- $n\n{script}\n").as_bytes());
        stage
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn hosts(&self) -> Arc<AgentHosts> {
        let local =
            LocalAgent { program: "/bin/sh".into(), prefix: vec![self.path("agent").into_os_string()] };
        let data = self.dir.path().join("data");
        Arc::new(AgentHosts::new(data, local, SshOptions::new(self.path("control")), Agents::default()))
    }

    async fn probe(&self, hosts: &AgentHosts, name: &str) -> Result<String, HostError> {
        hosts.probe(&host(name), &self.placement, &[]).await.map(|facts| facts.boot_id)
    }

    /// How many bytes the controller says until it has asked its first question.
    fn question_length(&self) -> (usize, usize) {
        let hello = ToHost::Hello { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
        let root = local_root(&self.dir.path().join("data"), &host("web1")).join(&self.placement.root);
        let placement = Box::new(Placement { root, ..self.placement.clone() });
        let probe = ToHost::Probe { id: 1, placement, tokens: Vec::new() };
        (frame::encode(&hello).unwrap().len(), frame::encode(&probe).unwrap().len())
    }
}

fn host(name: &str) -> Host {
    Host::new(HostName::new(name).unwrap(), Transport::Local)
}

fn facts(boot_id: &str) -> HostFacts {
    HostFacts {
        boot_id: boot_id.into(),
        arch: "x86_64".into(),
        free: ByteSize(1 << 40),
        current: None,
        releases: Vec::new(),
        marker: None,
        instances: Vec::new(),
        authority: None,
        tokens: BTreeMap::new(),
        obstacles: Vec::new(),
    }
}

async fn exists(path: &Path) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "{} never appeared", path.display());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_agent_of_another_protocol_is_refused_with_both_versions() {
    for theirs in [PROTOCOL - 1, PROTOCOL + 1] {
        let stage = Stage::new("cat other; exec sleep 600");
        let (version, boot_id, arch) = ("8.8.8".into(), "boot".into(), "x86_64".into());
        let hello = FromHost::Hello { protocol: theirs, version, boot_id, arch };
        stage.write("other", &frame::encode(&hello).unwrap());
        let said = stage.probe(&stage.hosts(), "web1").await.unwrap_err().to_string();
        let wanted = format!("its agent is andon 8.8.8 and speaks protocol {theirs}, this is andon ");
        assert!(said.contains(&wanted) && said.contains(&format!("and speaks {PROTOCOL}")), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_says_hello_is_given_up() {
    let stage = Stage::new("exec sleep 600");
    let error = stage.probe(&stage.hosts(), "web1").await.unwrap_err();
    assert_eq!(error, HostError::Unreachable("its agent said nothing for 20 s".into()));
}

#[tokio::test]
async fn a_login_banner_is_not_an_agent() {
    let stage = Stage::new("echo 'Welcome to web1!'; cat >/dev/null");
    let HostError::Unreachable(why) = stage.probe(&stage.hosts(), "web1").await.unwrap_err() else {
        panic!()
    };
    assert!(why.contains("this is not an agent talking"), "{why}");
}

#[tokio::test]
async fn what_a_dying_agent_complains_about_is_passed_on() {
    let stage = Stage::new("echo 'no space left on device' >&2; exit 1");
    let HostError::Unreachable(why) = stage.probe(&stage.hosts(), "web1").await.unwrap_err() else {
        panic!()
    };
    assert_eq!(why, "no space left on device");
}

#[tokio::test]
async fn garbage_a_huge_frame_and_a_torn_one_end_the_conversation_and_the_next_is_a_new_one() {
    let scripts = [
        (r"printf '\377\377\377\377'; cat >/dev/null", "this is not an agent talking"),
        (r"printf '\000\000\000\003abc'; cat >/dev/null", "could not be understood"),
        ("head -c 30 facts1", "the connection was closed"),
    ];
    for (bad, expected) in scripts {
        let good = "cat facts1; cat >/dev/null";
        let script = format!("cat hello; head -c 20 >/dev/null; [ $1 = 1 ] && {{ {bad}; exit; }}; {good}");
        let stage = Stage::new(&script);
        let hosts = stage.hosts();
        let HostError::Lost(why) = stage.probe(&hosts, "web1").await.unwrap_err() else { panic!("{bad}") };
        assert!(why.contains(expected), "{bad}: {why}");
        assert_eq!(stage.probe(&hosts, "web1").await.unwrap(), "answer 1", "{bad}");
    }
}

#[tokio::test]
async fn two_questions_at_once_get_their_own_answers_in_whatever_order() {
    let stage = Stage::new("");
    let (hello, probe) = stage.question_length();
    let script = format!("head -c {} >/dev/null; cat facts2 facts1; cat >/dev/null", hello + 2 * probe);
    let script = format!("cat hello; {script}");
    stage.write("agent", format!("cd \"$(dirname \"$0\")\"\n{script}\n").as_bytes());
    let hosts = stage.hosts();
    let (one, two) = tokio::join!(stage.probe(&hosts, "web1"), stage.probe(&hosts, "web1"));
    let mut answers = [one.unwrap(), two.unwrap()];
    answers.sort();
    assert_eq!(answers, ["answer 1", "answer 2"]);
}

#[tokio::test]
async fn an_agent_that_stands_still_holds_up_no_other_host_and_is_replaced() {
    let hangs = "touch hangs; exec sleep 600";
    let stage = Stage::new(&format!(
        "cat hello; [ $1 = 1 ] && {{ {hangs}; }}; head -c 60 >/dev/null; cat facts1; cat >/dev/null"
    ));
    let hosts = stage.hosts();
    let stuck = stage.probe(&hosts, "web1");
    tokio::pin!(stuck);
    let hanging = stage.path("hangs");
    tokio::select! {
        answer = &mut stuck => panic!("{answer:?}"),
        () = exists(&hanging) => {}
    }
    let other = tokio::select! {
        answer = &mut stuck => panic!("{answer:?}"),
        other = stage.probe(&hosts, "web2") => other,
    };
    assert_eq!(other.unwrap(), "answer 1", "while web1 is waited for");
    tokio::time::pause();
    assert_eq!(stuck.await.unwrap_err(), HostError::Lost("nothing was heard for 60 s".into()));
    tokio::time::resume();
    assert_eq!(stage.probe(&hosts, "web1").await.unwrap(), "answer 1", "by a new agent");
}

#[tokio::test]
async fn vitals_come_from_an_agent_that_knows_them_and_others_refuse_the_question_alone() {
    let stage = Stage::new("");
    let vitals = HostVitals {
        boot_id: "boot".into(),
        uptime: std::time::Duration::from_secs(5),
        instances: BTreeMap::new(),
        disk: None,
        memory: None,
        load: Some(0.5),
        processors: 2,
        oom_kills: None,
    };
    let answer = FromHost::Vitals { id: 1, vitals: Box::new(vitals.clone()) };
    stage.write("vitals", &frame::encode(&answer).unwrap());
    let refusal = Refusal::Malformed("unknown variant `vitals`".into());
    let refused = FromHost::Refused { what: Subject::Question(2), refusal: refusal.clone() };
    stage.write("refused", &frame::encode(&refused).unwrap());
    // Each question is answered only after it was asked.
    let lengths: Vec<usize> = (1..=2)
        .map(|id| {
            let root = local_root(&stage.path("data"), &host("web1")).join(&stage.placement.root);
            let placement = Box::new(Placement { root, ..stage.placement.clone() });
            frame::encode(&ToHost::Vitals { id, placement }).unwrap().len()
        })
        .collect();
    let (hello, _) = stage.question_length();
    let script = format!(
        "cd \"$(dirname \"$0\")\"\ncat hello; head -c {} >/dev/null; cat vitals; head -c {} >/dev/null; cat refused\n\
         head -c 60 >/dev/null; cat facts3; cat >/dev/null\n",
        hello + lengths[0],
        lengths[1]
    );
    stage.write("agent", script.as_bytes());
    let hosts = stage.hosts();
    assert_eq!(hosts.vitals(&host("web1"), &stage.placement).await, Ok(vitals));
    let answer = hosts.vitals(&host("web1"), &stage.placement).await;
    assert_eq!(answer, Err(HostError::Refused(refusal)));
    assert_eq!(stage.probe(&hosts, "web1").await.unwrap(), "answer 3", "in the same conversation");
}
