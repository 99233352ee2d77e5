//! Stories of deployments and their troubles: played from seeds, without optimisation, because they are short.

use clap::Args;

use crate::failure::Failure;
use crate::program::{cargo, run};

/// Stories that CI plays.
const IN_CI: u64 = 2000;

/// Which stories are played.
#[derive(Debug, Default, Args)]
pub(crate) struct Simulation {
    /// How many stories
    #[arg(long, value_name = "COUNT")]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Play for so long, instead of a number of stories
    #[arg(long, conflicts_with = "seeds")]
    hours: Option<f64>,
    /// Play this story alone, and tell it whole
    #[arg(long, conflicts_with_all = ["seeds", "from", "hours"])]
    seed: Option<u64>,
    /// With these of its troubles only, by their numbers: `3,7`, or `none`
    #[arg(long, requires = "seed")]
    only: Option<String>,
    /// Break something on purpose, to see that it is found: `fences-are-ignored`, for example
    #[arg(long, value_name = "NAME")]
    sabotage: Option<String>,
    /// Threads; as many as there are cores, when not given
    #[arg(long)]
    threads: Option<usize>,
}

impl Simulation {
    /// What CI runs.
    pub(crate) fn quick() -> Self {
        Self { seeds: Some(IN_CI), ..Self::default() }
    }
}

/// Plays stories; fails when an invariant does not hold in one of them.
pub(crate) fn sim(simulation: &Simulation) -> Result<(), Failure> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "andon-sim", "--bin", "survive", "--"]);
    for (option, value) in [
        ("--seeds", simulation.seeds.map(|seeds| seeds.to_string())),
        ("--from", simulation.from.map(|from| from.to_string())),
        ("--hours", simulation.hours.map(|hours| hours.to_string())),
        ("--seed", simulation.seed.map(|seed| seed.to_string())),
        ("--only", simulation.only.clone()),
        ("--sabotage", simulation.sabotage.clone()),
        ("--threads", simulation.threads.map(|threads| threads.to_string())),
    ] {
        if let Some(value) = value {
            command.args([option, &value]);
        }
    }
    run(&mut command)
}
