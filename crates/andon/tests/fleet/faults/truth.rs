//! What must be true on the real machines after a fault, whatever came of the deployment.

use std::collections::BTreeMap;
use std::fs;

use andon_testbed::Machine;
use andon_testbed::deadline::wait_until;

use super::scene::{LIMIT, SUM, Scene, UNIT};

/// What a host says of itself.
#[derive(Debug, Default)]
struct Host {
    current: String,
    running: String,
    /// The sum of all files of what runs.
    sum: String,
}

fn look(host: &Machine) -> Option<Host> {
    let script = format!(
        "readlink /srv/www/current | sed s,.*/,,; \
         pid=$(systemctl show --property MainPID --value {UNIT}); \
         r=$(tr '\\0' '\\n' < /proc/$pid/environ 2>/dev/null | sed -n s/^ANDON_RELEASE=//p); echo $r; \
         sh -c '{sum}' sh /srv/www/releases/$r",
        sum = SUM.replace('\'', r"'\''"),
    );
    let said = host.output(&script).ok()?;
    let mut lines = said.lines().map(str::to_owned);
    Some(Host { current: lines.next()?, running: lines.next()?, sum: lines.next()? })
}

/// Hosts that HAProxy sends nobody to.
pub(super) fn left_out(scene: &Scene) -> Vec<String> {
    let out = scene.seen_by_haproxy().into_iter().filter(|(_, status)| !status.starts_with("UP"));
    out.map(|(host, _)| host).collect()
}

/// Insists on what holds at the end of every deployment: each host in rotation runs a whole release, which is what its
/// `current` says; nobody is drained whom the ledger does not hold out; nothing was activated twice.
pub(super) fn insist(scene: &Scene, deployment: Option<u64>) {
    // HAProxy needs a moment to see what came up or went down last.
    let settled = || {
        let seen = scene.seen_by_haproxy();
        seen.len() == scene.hosts().len() && !seen.iter().any(|(_, status)| status.contains('/'))
    };
    assert!(wait_until(LIMIT, settled), "HAProxy does not settle: {:?}", scene.seen_by_haproxy());
    let held = scene.held();
    let seen: BTreeMap<String, String> = scene.seen_by_haproxy().into_iter().collect();
    for host in scene.hosts() {
        let status = &seen[host.name()];
        if status.starts_with("UP") {
            is_whole(scene, host);
        }
        if matches!(status.as_str(), "DRAIN" | "MAINT") {
            assert!(held.iter().any(|it| it == host.name()), "{} is {status}, held: {held:?}", host.name());
        }
        if let Some(deployment) = deployment {
            activated_once(host, deployment);
        }
    }
}

fn is_whole(scene: &Scene, host: &Machine) {
    let mut found = None;
    // A bad network may cost an attempt or two.
    wait_until(LIMIT, || {
        found = look(host);
        found.is_some()
    });
    let found = found.unwrap_or_else(|| panic!("{} serves and cannot be looked at", host.name()));
    assert_eq!(found.current, found.running, "{}: {found:?}", host.name());
    assert!(scene.sums.borrow().contains(&found.sum), "{} serves a broken release: {found:?}", host.name());
}

/// By the host's own journal: at most one activation of a deployment has ended well.
fn activated_once(host: &Machine, deployment: u64) {
    let Some(steps) = host.inside("/srv/www/.andon/steps") else { return };
    let tokens = fs::read_dir(steps).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with(&format!("d{deployment}.")) && name.contains(".activate.")
    });
    let ended: Vec<_> = tokens
        .filter(|entry| {
            let result = fs::read_to_string(entry.path().join("result")).unwrap_or_default();
            result.contains("succeeded")
        })
        .map(|entry| entry.file_name())
        .collect();
    assert!(ended.len() <= 1, "{} was activated more than once: {ended:?}", host.name());
}
