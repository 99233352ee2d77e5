//! What is known follows the ledger, and the hosts.

use std::sync::Arc;

use andon_core::chronicle::{Outcome, Query, Span};
use andon_core::deployment::{DeploymentId, State};
use andon_core::name::HostName;
use andon_server::Records;
use andon_server::chronicles::Chronicles;

use crate::scene::{Scene, WWW, past, scope};

#[tokio::test]
async fn what_somebody_records_is_known_to_whoever_asks_next() {
    let scene = Scene::new(Some(WWW)).await;
    assert!(scene.chronicle.now().deployments.is_empty());
    scene.record(&[past(1, 2, scope("www", "production"), "running")]).await;
    let known = scene.chronicle.fresh().await;
    assert_eq!(known.deployments.len(), 1);
    scene.deploy("one").await;
    let after = scene.chronicle.fresh().await;
    assert_eq!(after.deployments.get(DeploymentId(2)).unwrap().outcome(), Outcome::Succeeded);
    assert!(after.scopes.contains_key(&scope("www", "production")));
    assert_eq!(known.deployments.len(), 1, "what somebody holds does not change");
}

#[tokio::test]
async fn a_server_that_starts_knows_what_one_before_it_knew() {
    let scene = Scene::new(Some(WWW)).await;
    let rows: Vec<_> = (1..=2_500).map(|id| past(id, 2_500, scope("mail", "staging"), "succeeded")).collect();
    scene.record(&rows).await;
    scene.deploy("one").await;
    let before = scene.chronicle.fresh().await;
    let again = Chronicles::start(Records::new(Arc::clone(&scene.ledger))).await.unwrap().now();
    assert_eq!(again.deployments.len(), 2_501);
    let rows = |known: &andon_server::chronicles::Known| -> Vec<_> {
        known.deployments.rows().map(|row| row.summary()).collect()
    };
    assert_eq!(rows(&again), rows(&before));
    assert_eq!(again.position, before.position);
    // Which hosts it had is found without reading the deployment.
    let web3 = Query::of_host(&HostName::new("web3.example.com").unwrap());
    let found: Vec<u64> = again.deployments.matching(&web3, Span::ALL).map(|row| row.id().0).collect();
    assert_eq!(found, [2_501]);
    assert_eq!(again.deployments.matching(&Query::parse("web3"), Span::ALL).count(), 1);
}

#[tokio::test]
async fn the_way_that_a_deployment_went_is_recorded() {
    let scene = Scene::new(Some(WWW)).await;
    scene.deploy("one").await;
    scene.fleet.fails(Some("web1.example.com"));
    let (state, _) = scene.deploy("two").await;
    assert!(matches!(state, State::RolledBack { .. }), "{state:?}");
    let known = scene.chronicle.fresh().await;
    let good = known.deployments.get(DeploymentId(1)).unwrap().course();
    assert_eq!((good.canary, good.exposed, good.trouble), (Some(1), Some(4), None));
    assert!(good.everywhere.is_some());
    let bad = known.deployments.get(DeploymentId(2)).unwrap().course();
    // Without a balancer users meet a release as soon as it runs.
    assert_eq!((bad.canary, bad.exposed, bad.everywhere), (Some(1), Some(1), None));
    assert!(bad.trouble.is_some());
    assert_eq!(known.deployments.fleet(bad.fleet.unwrap()).unwrap().len(), 4);
}

#[tokio::test]
async fn hosts_are_asked_when_a_deployment_ends_and_not_again_at_every_look() {
    let scene = Scene::new(Some(WWW)).await;
    scene.counted().await;
    let (_, release) = scene.deploy("one").await;
    scene.until_page_says("/v1/dna", release.as_str()).await;
    let asked = scene.fleet.asked();
    for _ in 0..20 {
        scene.page("/dna").await;
    }
    // Asked again once at most: the look that began before the deployment ended may still have been under way.
    assert!(scene.fleet.asked() <= asked + 4, "{} {asked}", scene.fleet.asked());
}
