//! Faults on a large fleet, and what came of them in one table.
//!
//! The faults are a test of `andon`, which runs in CI on a few machines; here it meets many.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::agent::{self, Build};
use crate::failure::Failure;
use crate::program::{cargo, line, program, run, text};

/// The test that lives through the faults.
const TEST: &str = "faults::every_fault_ends_as_it_should";

/// Lives through the fault `name`, or all, on `machines` machines; fails when one does not end as it should.
pub(super) fn scenario(name: &str, machines: usize, table: Option<&Path>) -> Result<(), Failure> {
    let failed = |source| Failure::Io { doing: "run the faults".to_owned(), source };
    let _guard = super::guard()?;
    run(cargo().args(["build", "--package", "andon"]))?;
    agent::build(Build::Debug)?;
    let mut command = cargo();
    command
        .args(["test", "--quiet", "--package", "andon", "--test", "fleet", "--"])
        .args(["--ignored", "--exact", TEST, "--nocapture"])
        .env("ANDON_FAULTS", name)
        .env("ANDON_FAULT_MACHINES", machines.to_string());
    let mut test = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut accounts = Vec::new();
    for printed in test.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let printed = printed.map_err(failed)?;
        match serde_json::from_str::<Value>(&printed) {
            Ok(account) if account["fault"].is_string() => {
                println!("{}", row(&account));
                accounts.push(account);
            }
            _ => println!("{printed}"),
        }
    }
    let ended = test.wait().map_err(failed)?;
    let whole = whole_table(&accounts);
    println!("\n{whole}");
    if let Some(file) = table {
        let page = format!("{}{whole}", heading(name, machines)?);
        fs::write(file, page)
            .map_err(|source| Failure::Io { doing: format!("write {}", file.display()), source })?;
    }
    if ended.success() { Ok(()) } else { Err(Failure::Program { command: line(&command) }) }
}

/// Where the figures come from.
fn heading(name: &str, machines: usize) -> Result<String, Failure> {
    let commit = text(program("git").args(["rev-parse", "--short", "HEAD"]))?;
    let date = text(program("date").args(["--utc", "+%F"]))?;
    Ok(format!(
        "`cargo xtask fleet --scenario {name} --machines {machines}`, commit {}, {}, debug build.\n\n",
        commit.trim(),
        date.trim()
    ))
}

fn whole_table(accounts: &[Value]) -> String {
    let head = "| fault | requests | failed | may fail | ended as | out of HAProxy | reconciled | the person saw last |\n\
                |---|---|---|---|---|---|---|---|\n";
    let rows = accounts.iter().map(|account| row(account) + "\n");
    std::iter::once(head.to_owned()).chain(rows).collect()
}

fn row(account: &Value) -> String {
    let words = |field: &str| account[field].as_str().unwrap_or_default().replace('|', "\\|");
    let left_out = account["left_out"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let left_out = left_out.collect::<Vec<_>>().join(", ");
    let reconciled = account["reconciled_seconds"].as_f64().map_or("never".to_owned(), |seconds| {
        let lasts = if account["lasts"] == true { " from its beginning" } else { "" };
        format!("{seconds:.1} s{lasts}")
    });
    let wrong = account["wrong"].as_str().map(|why| format!(" **wrong: {why}**")).unwrap_or_default();
    format!(
        "| {}: {} | {} | {} | {} | {}{wrong} | {} | {reconciled} | {} |",
        words("fault"),
        words("what"),
        account["requests"],
        account["failed"],
        account["bearable"],
        words("state").replace('_', " "),
        if left_out.is_empty() { "none" } else { &left_out },
        words("said"),
    )
}
