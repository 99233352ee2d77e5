//! What is handed out: the optimised `andon` and the agent that it sends, side by side in `dist/`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::agent::{self, Build};
use crate::failure::Failure;
use crate::program::{cargo, run};
use crate::workspace;

/// Builds everything and replaces the files in `dist/`.
pub(crate) fn dist() -> Result<(), Failure> {
    run(cargo().args(["build", "--release", "--package", "andon"]))?;
    let agent = agent::build(Build::Small)?;
    let dist = workspace::root().join("dist");
    let andon = dist.join("andon");
    agent::place(&workspace::target().join("release/andon"), &andon)?;
    fs::set_permissions(&andon, fs::Permissions::from_mode(0o755))
        .map_err(Failure::io("make executable", &andon))?;
    agent::place(&agent, &dist.join(agent::file_name()))?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        agent::place(&workspace::root().join(licence), &dist.join(licence))?;
    }
    println!("{} is complete", dist.display());
    Ok(())
}
