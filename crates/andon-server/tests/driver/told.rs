//! Whoever is killed whenever: a release that was put back is told, once.

use andon_core::deployment::{DeploymentId, State};
use andon_core::host::Stage;
use andon_core::line::{Hook, HookForm, HookUrl, Tell};
use andon_core::name::SecretName;
use andon_core::telling::Kind;
use andon_server::{Problem, Wish};

use crate::ledger::Trouble;
use crate::world::{World, release};

const NEW: u64 = 2;

/// A deployment that tells a team whose address nobody knows: nothing leaves this process.
fn telling(wish: Wish) -> Wish {
    let url = HookUrl::Secret(SecretName::new("nobody-knows").unwrap());
    let hook = Hook { form: HookForm::Slack, url, secret: None, ca: None };
    let mut wish = wish;
    wish.service.tell = Some(Tell { mail: None, author: true, to: Vec::new(), team: vec![hook] });
    wish
}

/// What is told of a deployment, once somebody else has gone on with it. `None` when the story was over before the `n`th
/// append.
async fn told_when_killed_at(n: usize, trouble: Trouble) -> Option<(State, Vec<Kind>)> {
    let world = World::new(6).await;
    world.fleet.fails("web1", Stage::Verify, &release("new").id);
    let (ana, handle) = world.person("ana");
    handle.plan(n, trouble);
    let wish = telling(world.wish("new"));
    let driving = tokio::spawn(async move { ana.deploy(wish).await?.end.await.unwrap() });
    tokio::select! {
        ended = driving => {
            ended.unwrap().unwrap();
            return None;
        }
        () = handle.died() => {}
    }
    let (ben, _) = world.person("ben");
    match ben.resume(DeploymentId(NEW), true).await {
        Ok(going) => drop(going.unwrap().end.await.unwrap().unwrap()),
        Err(Problem::NotNow(_)) => {}
        Err(Problem::Records(_)) => return Some((State::Succeeded, Vec::new())),
        Err(problem) => panic!("{n}: {problem}"),
    }
    for _ in 0..2 {
        ben.outbox().catch_up().await.unwrap();
    }
    let told = ben.outbox().list("", 10).await.unwrap();
    Some((world.deployment(NEW).await.state, told.iter().map(|one| one.telling.kind).collect()))
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_put_back_is_told_once_whenever_its_controller_dies() {
    for after in [false, true] {
        let mut put_back = 0;
        for n in 1.. {
            let trouble = if after { Trouble::DiesAfter } else { Trouble::DiesBefore };
            let Some((state, told)) = told_when_killed_at(n, trouble).await else { break };
            if matches!(state, State::RolledBack { .. }) {
                assert_eq!(told, [Kind::PutBack], "killed at {n}, after: {after}");
                put_back += 1;
            }
        }
        assert!(put_back > 5, "only {put_back} stories came to a rollback");
    }
}
