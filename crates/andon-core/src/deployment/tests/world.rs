//! A fleet that behaves as told, and a driver without a clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::super::*;
use crate::balance::{BalancerFailure, FailureKind, ServerSight, ServerState, Sockets, Traffic};
use crate::host::{Outcome, Stage, Step, Token, TokenStatus};
use crate::person::Person;
use crate::plan::tests::Fleet;

pub(super) fn ana() -> Person {
    Person { name: "ana".into(), at: "laptop".into() }
}

/// How a host answers the next orders of a stage; when the list is empty it succeeds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Fails,
    /// The connection is cut; asked later, the host says this.
    Cut(TokenStatus),
    /// Nothing is heard, ever again.
    Dead,
    /// The order stays open until the test says otherwise.
    Hangs,
}

pub(super) struct World {
    pub(super) deployment: Deployment,
    pub(super) now: Time,
    pub(super) script: BTreeMap<(String, Stage, Way), VecDeque<Answer>>,
    pub(super) dead: Vec<HostName>,
    /// Every activation that took effect, in order, with the release that it led to.
    pub(super) activated: Vec<(HostName, Way)>,
    pub(super) facts: Vec<(Time, Fact)>,
    pub(super) balancer: Balancer,
    /// So many commands of sites fail from now on.
    pub(super) failing_commands: usize,
    /// The commands of sites that were run.
    pub(super) commands: Vec<String>,
}

/// The balancer of a fleet that has one.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    /// Sessions under way on a host when it is looked at once more; none when the list is empty.
    pub(super) sessions: BTreeMap<String, VecDeque<u64>>,
    /// Hosts that somebody holds out in it.
    pub(super) held: Vec<String>,
    /// Hosts that it never finds up.
    pub(super) down: Vec<String>,
    /// What it answers to the next looks instead.
    pub(super) failures: VecDeque<FailureKind>,
    /// It does not count sessions.
    pub(super) uncounted: bool,
    /// Hosts that cannot count their connections.
    pub(super) blind: Vec<String>,
    /// Every wish in the order in which it was first heard.
    pub(super) heard: Vec<(String, Traffic)>,
}

impl World {
    pub(super) fn new(fleet: &Fleet) -> Self {
        Self::of(fleet.plan().unwrap())
    }

    pub(super) fn of(plan: crate::plan::Plan) -> Self {
        let now = Time(1_000_000);
        let request = Request {
            scope: plan.scope.clone(),
            kind: plan.kind,
            release: plan.release.clone(),
            by: ana(),
            why: None,
            fixes: None,
            allow_bad: None,
            take_over: false,
            passes: Default::default(),
        };
        let mut world = Self {
            deployment: Deployment::new(DeploymentId(128), request.clone(), now),
            now,
            script: BTreeMap::new(),
            dead: Vec::new(),
            activated: Vec::new(),
            facts: vec![(now, Fact::Accepted { request })],
            balancer: Balancer::default(),
            failing_commands: 0,
            commands: Vec::new(),
        };
        world.record(vec![
            Fact::Planned { plan: Box::new(plan) },
            Fact::InCharge { fence: Fence(7), by: ana() },
        ]);
        world
    }

    pub(super) fn host(mut self, host: &str, stage: Stage, answers: &[Answer]) -> Self {
        self.script.insert((host.to_owned(), stage, Way::Forward), answers.iter().cloned().collect());
        self
    }

    pub(super) fn on_the_way_back(mut self, host: &str, stage: Stage, answers: &[Answer]) -> Self {
        self.script.insert((host.to_owned(), stage, Way::Back), answers.iter().cloned().collect());
        self
    }

    pub(super) fn record(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.check_order(&fact);
            let before = self.deployment.available();
            self.deployment.apply(self.now, &fact);
            self.facts.push((self.now, fact));
            self.check_invariants(before);
        }
    }

    /// I1: nothing is activated that was not prepared, and nothing is observed that was not verified.
    fn check_order(&self, fact: &Fact) {
        let Fact::Host { host, state: HostState::Doing(next) } = fact else { return };
        let before = match &self.deployment.hosts[host].state {
            HostState::Doing(doing) | HostState::Unknown { doing, .. } => Some(doing.stage),
            HostState::Prepared => Some(Stage::Prepare),
            HostState::Ready | HostState::Succeeded => Some(Stage::Verify),
            _ => None,
        };
        let balanced = self.deployment.plan.as_ref().unwrap().is_balanced(host);
        let run = &self.deployment.hosts[host];
        match (next.way, next.stage) {
            (_, Stage::Activate) if balanced => {
                assert!(run.drained && run.drain.is_some(), "I1: {host} is activated in traffic");
            }
            (Way::Forward, Stage::Activate) => {
                assert!(before.is_some(), "I1: {host} is activated unprepared")
            }
            (_, Stage::Enable) => {
                let verified = matches!(before, Some(Stage::Verify | Stage::Enable));
                let unchanged = before == Some(Stage::Drain) && !run.touched;
                assert!(verified || unchanged, "I1: {host} is enabled unverified");
            }
            (_, Stage::Observe) => {
                assert!(
                    matches!(before, Some(Stage::Verify | Stage::Enable | Stage::Observe)),
                    "I1: {host} is observed unverified"
                );
            }
            _ => {}
        }
    }

    pub(super) fn check_invariants(&self, available_before: u32) {
        let Some(plan) = &self.deployment.plan else { return };
        let available = self.deployment.available();
        let lost_one = matches!(
            self.facts.last(),
            Some((_, Fact::Host { state: HostState::Failed(_) | HostState::Unreachable { .. }, .. }))
        ) || matches!(
            // It was found interrupted while it was watched, and is no longer taken for one that serves.
            self.facts.last(),
            Some((_, Fact::Host { state: HostState::Doing(Doing { stage: Stage::Verify, .. }), .. }))
        ) || matches!(self.facts.last(), Some((_, Fact::Serving { serving: false, .. })));
        // I2: we never take a host out below the floor. What fails or vanishes by itself is not our doing.
        assert!(
            available >= plan.floor || available >= available_before || lost_one,
            "I2: {available} of at least {} serve after {:?}",
            plan.floor,
            self.facts.last()
        );
        let folded =
            Deployment::fold(self.deployment.id, self.facts.iter().map(|(at, fact)| (*at, fact))).unwrap();
        assert_eq!(folded, self.deployment, "the state is a fold of the facts");
        // I4: one open order for each host.
        let orders = self.deployment.orders();
        let mut hosts: Vec<_> = orders.iter().map(|(host, _)| host).collect();
        hosts.dedup();
        assert_eq!(hosts.len(), orders.len(), "I4");
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let facts = self.deployment.decide(self.now);
            if facts.is_empty() {
                return;
            }
            self.record(facts);
        }
        panic!("decide never comes to rest: {:?}", self.deployment.state);
    }

    /// Lets everything happen until the deployment ends, pauses, or hangs on orders that nobody answers.
    pub(super) fn run(&mut self) -> &State {
        for _ in 0..100_000 {
            self.settle();
            if self.deployment.state.is_terminal() {
                break;
            }
            let news = self.run_command().or_else(|| {
                self.deployment.orders().into_iter().find_map(|(host, order)| self.answer(host, &order))
            });
            match (news, self.deployment.next_deadline(self.now)) {
                (Some(news), _) => {
                    self.now = self.now + Duration::from_millis(100);
                    let facts = self.deployment.handle(self.now, news);
                    self.record(facts);
                }
                (None, _) if self.deployment.traffic_is_moving() && self.look_often() => {}
                (None, Some(deadline)) => self.now = deadline,
                (None, None) => break,
            }
        }
        &self.deployment.state
    }

    /// Lets everything happen until `last` was recorded.
    pub(super) fn run_until(&mut self, last: impl Fn(&Fact) -> bool) {
        for _ in 0..10_000 {
            let from = self.facts.len();
            let decided = self.deployment.decide(self.now);
            let news = |world: &mut Self| {
                world.run_command().or_else(|| {
                    let mut orders = world.deployment.orders().into_iter();
                    orders.find_map(|(host, order)| world.answer(host, &order))
                })
            };
            if !decided.is_empty() {
                self.record(decided);
            } else if let Some(news) = news(self) {
                let facts = self.deployment.handle(self.now, news);
                self.record(facts);
            } else if !self.deployment.traffic_is_moving() || !self.look_often() {
                let Some(deadline) = self.deployment.next_deadline(self.now) else { break };
                self.now = deadline;
            }
            if self.facts[from..].iter().any(|(_, fact)| last(fact)) {
                return;
            }
        }
        panic!("it never happened; {:?}", self.deployment.state);
    }

    fn run_command(&mut self) -> Option<Input> {
        let order = self.deployment.site_orders().into_iter().next()?;
        self.commands.push(order.command.join(" "));
        let fails = self.failing_commands > 0;
        self.failing_commands = self.failing_commands.saturating_sub(1);
        let result = if fails { Err("./dns ended with exit status 1".to_owned()) } else { Ok(()) };
        Some(Input::SiteDone { site: order.site, result })
    }

    /// Looks at the balancer every second until that changes something; `false` when it does not for an hour.
    fn look_often(&mut self) -> bool {
        for _ in 0..3600 {
            self.now = self.now + Duration::from_secs(1);
            let moving: Vec<HostName> = self.deployment.traffic(self.now).into_keys().collect();
            let mut changed = false;
            for host in moving {
                let news = self.look(&host);
                let facts = self.deployment.handle(self.now, news);
                changed |= !facts.is_empty();
                self.record(facts);
            }
            if changed {
                return true;
            }
        }
        false
    }

    /// Tells the balancer what is wished of a host, and what it and the host see then.
    pub(super) fn look(&mut self, host: &HostName) -> Input {
        let wished = self.deployment.traffic(self.now).get(host).copied();
        if let Some(wish) = wished
            && !self.balancer.heard.contains(&(host.to_string(), wish))
        {
            self.balancer.heard.push((host.to_string(), wish));
        }
        let name = self.deployment.plan.as_ref().unwrap().pools[0].pool.name();
        let under_way =
            self.balancer.sessions.get_mut(host.as_str()).and_then(VecDeque::pop_front).unwrap_or(0);
        let state = match wished {
            Some(Traffic::Out | Traffic::Cut) => ServerState::Out,
            _ if self.balancer.held.contains(&host.to_string()) => ServerState::Out,
            _ if self.balancer.down.contains(&host.to_string()) => {
                ServerState::Down { why: "L7STS/503".into() }
            }
            _ => ServerState::Up,
        };
        let seen = match self.balancer.failures.pop_front() {
            Some(kind) => Err(BalancerFailure { kind, reason: format!("{kind:?}"), details: String::new() }),
            None => {
                let weight = match wished {
                    Some(Traffic::In(share)) => share,
                    _ => 100,
                };
                let sessions = (!self.balancer.uncounted).then_some(under_way);
                Ok(vec![ServerSight { weight, sessions, ..crate::plan::tests::seen(state, under_way) }])
            }
        };
        let sockets = match self.balancer.blind.contains(&host.to_string()) {
            true => Err("no /proc".to_owned()),
            false => Ok(Sockets { established: 3, busy: u32::try_from(under_way).unwrap(), unsure: 1 }),
        };
        let pools = BTreeMap::from([(name, seen)]);
        Input::Seen {
            host: host.clone(),
            sight: Box::new(TrafficSight { wished, pools, sockets: Some(sockets) }),
        }
    }

    pub(super) fn answer(&mut self, host: HostName, order: &OpenOrder) -> Option<Input> {
        let token = order.token().clone();
        match order {
            OpenOrder::Step { step, .. } => self.answer_step(host, token, step),
            OpenOrder::Ask { .. } if self.dead.contains(&host) => None,
            OpenOrder::Ask { .. } => {
                let HostState::Unknown { doing, why, .. } = &self.deployment.hosts[&host].state else {
                    return None;
                };
                let status: TokenStatus = match why.as_str() {
                    "running" | "the controller was away" => TokenStatus::Running,
                    "interrupted" => TokenStatus::Interrupted,
                    "finished" => TokenStatus::Finished(Outcome::Succeeded),
                    _ => TokenStatus::NeverStarted,
                };
                let mut facts =
                    crate::plan::tests::facts(Some(self.deployment.target(doing.way).unwrap().clone()), true);
                if status == TokenStatus::Interrupted && doing.stage == Stage::Activate {
                    facts.marker.as_mut().unwrap().complete = false;
                }
                facts.tokens.insert(token.clone(), status);
                Some(Input::Found { host, token, facts: Box::new(facts) })
            }
        }
    }

    pub(super) fn answer_step(&mut self, host: HostName, token: Token, step: &Step) -> Option<Input> {
        let HostState::Doing(doing) = &self.deployment.hosts[&host].state else { return None };
        let key = (host.to_string(), step.stage(), doing.way);
        let way = doing.way;
        if self.dead.contains(&host) {
            return None;
        }
        let scripted = self.script.get_mut(&key).and_then(VecDeque::pop_front);
        match scripted {
            Some(Answer::Hangs) => {
                self.script.get_mut(&key).unwrap().push_front(Answer::Hangs);
                return None;
            }
            Some(Answer::Dead) => {
                self.dead.push(host.clone());
                return Some(Input::Lost { host, token, why: "no answer".into() });
            }
            Some(Answer::Cut(status)) => {
                let why = match status {
                    TokenStatus::Running => "running",
                    TokenStatus::Interrupted => "interrupted",
                    TokenStatus::Finished(_) => "finished",
                    TokenStatus::NeverStarted => "never started",
                };
                return Some(Input::Lost { host, token, why: why.into() });
            }
            Some(Answer::Fails) => {
                let outcome =
                    Outcome::Failed { reason: format!("{} said no", step.stage()), tail: String::new() };
                return Some(Input::Ended { host, token, outcome });
            }
            None => {}
        }
        if step.stage() == Stage::Activate {
            self.activated.push((host.clone(), way));
        }
        Some(Input::Ended { host, token, outcome: Outcome::Succeeded })
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.deployment.admits(&ask).unwrap();
        self.record(vec![Fact::Asked { ask, by: ana(), why: None }]);
    }

    pub(super) fn states(&self) -> BTreeMap<&str, &str> {
        self.deployment.hosts.iter().map(|(host, run)| (host.as_str(), run.state.name())).collect()
    }

    pub(super) fn activated(&self, way: Way) -> Vec<&str> {
        self.activated.iter().filter(|(_, w)| *w == way).map(|(host, _)| host.as_str()).collect()
    }
}
