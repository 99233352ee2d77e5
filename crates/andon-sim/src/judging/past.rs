//! The twelve hours before a deployment, and what the judge learns of them.
//!
//! Nothing of the simulation's own numbers reaches the judge: host factors, dispersion and spread are estimated.

use std::time::Duration;

use andon_core::analysis::history::{self, Row};
use andon_core::analysis::{Baseline, Reading, Spec};
use andon_core::name::MemberName;
use andon_core::time::Time;

use crate::generator::Generator;
use crate::judging::fleet::World;

/// So many stretches of so many ticks of 5 s each: nine hours by the half hour, three by the minute. Finer rows cost more
/// and tell the estimators nothing: their blocks are minutes.
const STRETCHES: [(u32, u32); 2] = [(18, 360), (180, 12)];

/// What the judge's own estimators make of twelve hours.
pub fn baseline(world: &mut World, spec: &Spec, names: &[MemberName], chance: &mut Generator) -> Baseline {
    let (mut rows, mut counts, mut at) = (Vec::new(), Vec::new(), Time::default());
    for (how_many, ticks) in STRETCHES {
        let over = Duration::from_secs(5) * ticks;
        for _ in 0..how_many {
            world.stretch(u64::from(ticks), 5.0, chance, &mut counts);
            at = at + over;
            rows.extend(names.iter().zip(&counts).map(|(member, counts)| Row {
                at,
                over,
                member: member.clone(),
                readings: counts.events.map(|events| Reading::Count { events, of: counts.requests }).to_vec(),
            }));
        }
    }
    history::estimate(&spec.metrics, &rows, at + Duration::from_secs(1))
}
