//! The cases in which an old and a new program meet. Each says how it went, or what was wrong.

use super::scene::{Scene, Which};
use Which::{New, Old};

/// One case.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: fn(&Scene) -> Result<String, String>,
}

/// All of them.
pub(super) const ALL: &[Case] = &[
    Case { name: "old deploys, new goes on", run: |scene| one_after_another(scene, Old, New) },
    Case { name: "new deploys, old goes on", run: |scene| one_after_another(scene, New, Old) },
    Case { name: "old is cut off, new resumes", run: |scene| resumed(scene, Old, New) },
    Case { name: "new is cut off, old resumes", run: |scene| resumed(scene, New, Old) },
    Case { name: "old is cut off, new puts back", run: |scene| put_back(scene, Old, New) },
    Case { name: "new is cut off, old puts back", run: |scene| put_back(scene, New, Old) },
    Case { name: "old drives, new asks", run: |scene| asked(scene, Old, New) },
    Case { name: "new drives, old asks", run: |scene| asked(scene, New, Old) },
    Case { name: "old and new by turns", run: by_turns },
];

fn told(refused: Option<String>) -> String {
    refused.map_or_else(|| "works".to_owned(), |why| format!("is refused: {why}"))
}

/// Both can be read, changed and verified by the other.
fn one_after_another(scene: &Scene, first: Which, second: Which) -> Result<String, String> {
    scene.well(first, &["deploy", "www"])?;
    scene.release("two", false)?;
    for words in
        [&["history"][..], &["show", "1"], &["status"], &["status", "www"], &["line"], &["test", "www"]]
    {
        if let Some(why) = scene.well_or_refused(second, words)? {
            return Ok(told(Some(why)));
        }
    }
    let refused = scene.well_or_refused(second, &["deploy", "www"])?;
    if refused.is_none() {
        scene.well_or_refused(second, &["rollback", "www"])?;
        scene.well_or_refused(first, &["sweep"])?;
    }
    scene.well(New, &["ledger", "verify"])?;
    Ok(told(refused))
}

/// A step that one of them began is still at work when the other one comes.
fn resumed(scene: &Scene, first: Which, second: Which) -> Result<String, String> {
    scene.well(first, &["deploy", "www"])?;
    scene.release("two", true)?;
    scene.in_the_middle(first, 2)?.kill()?;
    scene.open_gate()?;
    let refused = scene.well_or_refused(second, &["resume", "2"])?;
    if refused.is_some() {
        scene.well(first, &["resume", "2"])?;
    }
    scene.well(New, &["test", "www"])?;
    scene.well(New, &["ledger", "verify"])?;
    Ok(told(refused))
}

fn put_back(scene: &Scene, first: Which, second: Which) -> Result<String, String> {
    scene.well(first, &["deploy", "www"])?;
    scene.release("two", true)?;
    scene.in_the_middle(first, 2)?.kill()?;
    scene.open_gate()?;
    let ran = scene.run(second, &["abort", "2", "--rollback"])?;
    if ran.code == Some(1) && ran.said.contains("was rolled back") {
        scene.well(New, &["test", "www"])?;
        return Ok(told(None));
    }
    let refused = matches!(ran.code, Some(3 | 4)) && ran.said.contains("error: ");
    if refused { Ok(told(ran.said.lines().next().map(str::to_owned))) } else { Err(format!("{ran:?}")) }
}

/// Two people with two versions on one ledger at the same moment.
fn asked(scene: &Scene, drives: Which, asks: Which) -> Result<String, String> {
    scene.well(drives, &["deploy", "www"])?;
    scene.release("two", true)?;
    let going = scene.in_the_middle(drives, 2)?;
    let refused = scene.well_or_refused(asks, &["pause", "2", "--why", "a look"])?;
    if refused.is_none() {
        scene.until(drives, &["show", "2"], "a person paused it")?;
        scene.well(asks, &["resume", "2"])?;
        scene.well(asks, &["abort", "2"])?;
    }
    scene.open_gate()?;
    let wanted = if refused.is_none() { Some(1) } else { Some(0) };
    let code = going.end()?;
    if code != wanted {
        return Err(format!("it ended with {code:?}"));
    }
    scene.well(New, &["test", "www"])?;
    Ok(told(refused))
}

fn by_turns(scene: &Scene) -> Result<String, String> {
    let mut refused = 0;
    for turn in 0..6 {
        let which = if turn % 2 == 0 { Old } else { New };
        scene.release(&format!("turn {turn}"), false)?;
        match which {
            New => drop(scene.well(New, &["deploy", "www"])?),
            Old => refused += u32::from(scene.well_or_refused(Old, &["deploy", "www"])?.is_some()),
        }
    }
    scene.well(New, &["history"])?;
    scene.well(New, &["ledger", "verify"])?;
    Ok(format!("works; old was refused {refused} times of 3"))
}
