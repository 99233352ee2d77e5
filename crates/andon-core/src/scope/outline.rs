//! A scope without what is only looked up by name: its bad releases are many after years, and who lists scopes needs none
//! of their words. Pure; where the two parts are kept is not known here.

use std::collections::BTreeMap;

use super::{KnownRelease, Scope};
use crate::release::{ReleaseId, ReleaseStatus};

/// A scope of whose bad releases only the names are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    /// All of the scope but its bad releases.
    pub scope: Scope,
    /// The names of its bad releases, each with the number of its judgement ([`KnownRelease::judgement`]).
    pub bad: BTreeMap<ReleaseId, u64>,
}

impl Scope {
    /// The scope without what is known of its bad releases.
    pub fn outline(&self) -> Outline {
        let (good, bad): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .releases
            .iter()
            .map(|(id, known)| (id.clone(), known.clone()))
            .partition(|(_, known)| known.status != ReleaseStatus::Bad);
        let bad = bad.into_iter().map(|(id, known)| (id, known.ordinal)).collect();
        Outline { scope: Scope { releases: good, ..self.clone() }, bad }
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
    /// The whole scope again, out of what is known of its bad releases; what is known of others is left out. `None` when
    /// something is missing, or is known of another judgement.
    pub fn whole(mut self, known: impl IntoIterator<Item = KnownRelease>) -> Option<Scope> {
        let mut open = self.bad;
        for known in known {
            let id = known.release.id.clone();
            if open.get(&id) == Some(&known.ordinal) && known.status == ReleaseStatus::Bad {
                open.remove(&id);
                self.scope.releases.insert(id, known);
            }
        }
        open.is_empty().then_some(self.scope)
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
        let marks = [("one", ReleaseStatus::Good), ("two", ReleaseStatus::Bad), ("three", ReleaseStatus::Bad)];
        for (content, status) in marks {
            let (deployment, because) = (DeploymentId(1), String::new());
            let fact = ScopeFact::Marked { release: release(content), status, deployment, because };
            scope.apply(Time(1), &fact);
        }
        scope
    }

    #[test]
    fn both_parts_together_are_the_scope() {
        let scope = scope();
        let outline = scope.outline();
        assert_eq!((outline.bad.len(), outline.scope.releases.len()), (2, 1));
        assert_eq!(outline.scope.good(), scope.good());
        let bad: Vec<KnownRelease> = scope.bad().into_iter().cloned().collect();
        assert_eq!(outline.clone().whole(bad.clone()), Some(scope.clone()));
        // More than is wanted does no harm: a release that became good since, for example.
        let more = bad.iter().chain(scope.good()).cloned();
        assert_eq!(outline.whole(more), Some(scope));
    }

    #[test]
    fn what_is_missing_or_of_another_judgement_is_not_filled_in() {
        let scope = scope();
        let bad: Vec<KnownRelease> = scope.bad().into_iter().cloned().collect();
        assert_eq!(scope.outline().whole(bad[1..].to_vec()), None);
        let mut other = bad;
        other[0].ordinal += 1;
        assert_eq!(scope.outline().whole(other), None);
    }
}
