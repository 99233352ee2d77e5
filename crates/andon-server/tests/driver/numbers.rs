//! What balancers count while a deployment is driven reaches whoever watches, and not the ledger.

use std::time::Duration;

use andon_core::balance::Standing;
use andon_core::balance::numbers::Spot;
use andon_core::deployment::State;
use andon_core::name::HostName;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn the_numbers_of_every_host_come_along_with_the_progress() {
    let world = World::balanced(4).await;
    let (ana, _) = world.person("ana");
    let going = ana.deploy(world.wish("new")).await.unwrap();
    let progress = going.progress.clone();
    assert_eq!(going.end.await.unwrap().unwrap().state, State::Succeeded);
    let last = progress.borrow().clone();
    let window = Duration::from_secs(60);
    for n in 1..=4 {
        let host = HostName::new(format!("web{n}")).unwrap();
        let of_host = |spot: &Spot| spot.host == host && spot.port == 8080;
        let flow = last.numbers.ask(|numbers| numbers.flow(window, of_host)).unwrap();
        assert!(flow.counters.requests > 0 && flow.rates.requests > 0.0, "{host}: {flow:?}");
        let sight = last.round.sight_of(last.deployment.plan.as_deref().unwrap(), &host);
        assert_eq!(sight.standing(), Standing::In, "{host}: {sight:?}");
    }
    let samples = last.numbers.ask(|numbers| numbers.latest().count());
    assert_eq!(samples, 4, "one for each server of each pool");
    let said = format!("{:?}", world.entries(2).await);
    assert!(!said.contains("requests:") && !said.contains("counters"), "{said}");
}
