//! A scope without what is only looked up by name. After years it remembers hundreds of releases, and who lists scopes
//! needs none of their words but those of the newest. Pure; where the two parts are kept is not known here.

use std::collections::BTreeMap;

use super::{KnownRelease, Scope};
use crate::release::{ReleaseId, ReleaseStatus};

/// Good releases that an outline knows besides the current one: of two, one is never the current one.
const KNOWN_GOOD: usize = 2;

/// A scope of whose releases only the current one and the newest good ones are known: enough to say what runs and what
/// it would go back to. All others are names, each with the number of its judgement ([`KnownRelease::judgement`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// All of the scope but the releases that are only named here.
    pub scope: Scope,
    /// Its other good releases.
    pub good: BTreeMap<ReleaseId, u64>,
    /// Its other bad releases.
    pub bad: BTreeMap<ReleaseId, u64>,
}

impl Scope {
    /// The scope without most of what is known of its releases.
    pub fn outline(&self) -> Outline {
        let newest: Vec<&ReleaseId> =
            self.good().into_iter().take(KNOWN_GOOD).map(|known| &known.release.id).collect();
        let mut outline = Outline::default();
        let mut releases = BTreeMap::new();
        for (id, known) in &self.releases {
            if self.current.as_ref() == Some(id) || newest.contains(&id) {
                releases.insert(id.clone(), known.clone());
                continue;
            }
            match known.status {
                ReleaseStatus::Good => outline.good.insert(id.clone(), known.ordinal),
                ReleaseStatus::Bad => outline.bad.insert(id.clone(), known.ordinal),
            };
        }
        let Self { lock, waiting, current, held, live, judgements, damage, .. } = self.clone();
        outline.scope = Scope { lock, waiting, current, releases, held, live, judgements, damage };
        outline
    }

    /// Its bad releases, the newest judgement first.
    pub fn bad(&self) -> Vec<&KnownRelease> {
        let mut bad: Vec<_> =
            self.releases.values().filter(|known| known.status == ReleaseStatus::Bad).collect();
        bad.sort_by_key(|known| std::cmp::Reverse(known.ordinal));
        bad
    }
}

impl Outline {
    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        self.good.is_empty() && self.bad.is_empty()
    }

    /// The names of its good releases, the newest judgement first.
    pub fn good_names(&self) -> Vec<&ReleaseId> {
        let known = self.scope.good().into_iter().map(|known| (known.ordinal, &known.release.id));
        let mut all: Vec<_> = known.chain(self.good.iter().map(|(id, ordinal)| (*ordinal, id))).collect();
        all.sort_by_key(|(ordinal, _)| std::cmp::Reverse(*ordinal));
        all.into_iter().map(|(_, id)| id).collect()
    }

    /// The whole scope again, out of what is known of its other releases; what is known of more is left out. `None` when
    /// something is missing, or is known of another judgement.
    pub fn whole(mut self, known: impl IntoIterator<Item = KnownRelease>) -> Option<Scope> {
        for known in known {
            let open = match known.status {
                ReleaseStatus::Good => &mut self.good,
                ReleaseStatus::Bad => &mut self.bad,
            };
            if open.get(&known.release.id) == Some(&known.ordinal) {
                open.remove(&known.release.id);
                self.scope.releases.insert(known.release.id.clone(), known);
            }
        }
        self.is_whole().then_some(self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScopeFact;
    use super::*;
    use crate::name::DeploymentId;
    use crate::plan::tests::release;
    use crate::time::Time;

    fn scope() -> Scope {
        let mut scope = Scope::default();
        let mut apply = |fact| scope.apply(Time(1), &fact);
        for number in 0..9 {
            let release = release(&number.to_string());
            let status = if number % 3 == 0 { ReleaseStatus::Bad } else { ReleaseStatus::Good };
            let (deployment, because) = (DeploymentId(1), String::new());
            apply(ScopeFact::Marked { release, status, deployment, because });
        }
        apply(ScopeFact::Current { release: release("1").id });
        scope
    }

    #[test]
    fn an_outline_knows_what_runs_and_the_way_back() {
        let (scope, outline) = (scope(), scope().outline());
        assert_eq!((outline.bad.len(), outline.good.len(), outline.scope.releases.len()), (3, 3, 3));
        let current = scope.current.clone().unwrap();
        assert_eq!(outline.scope.rollback_target(&current), scope.rollback_target(&current));
        assert!(outline.scope.releases.contains_key(&current));
        let good: Vec<&ReleaseId> = scope.good().into_iter().map(|known| &known.release.id).collect();
        assert_eq!(outline.good_names(), good);
    }

    #[test]
    fn both_parts_together_are_the_scope() {
        let scope = scope();
        // More than is wanted does no harm.
        let all = || scope.releases.values().cloned();
        assert_eq!(scope.outline().whole(all()), Some(scope.clone()));
        assert_eq!(Scope::default().outline().whole([]), Some(Scope::default()));
    }

    #[test]
    fn what_is_missing_or_of_another_judgement_is_not_filled_in() {
        let scope = scope();
        let bad = scope.bad()[0].release.id.clone();
        let without = scope.releases.values().filter(|known| known.release.id != bad).cloned();
        assert_eq!(scope.outline().whole(without), None);
        let mut other: Vec<KnownRelease> = scope.releases.values().cloned().collect();
        other.iter_mut().filter(|known| known.release.id == bad).for_each(|known| known.ordinal += 1);
        assert_eq!(scope.outline().whole(other.clone()), None);
        other.iter_mut().for_each(|known| known.status = ReleaseStatus::Good);
        assert_eq!(scope.outline().whole(other), None);
    }
}
