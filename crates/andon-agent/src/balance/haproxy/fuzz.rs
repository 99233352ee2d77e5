//! What must hold for whatever HAProxy's runtime API, or another program in its place, answers.

use andon_core::balance::Traffic;
use andon_core::name::ServerName;

use super::server::Server;
use super::table;

/// `data` is what is answered to `show servers state` and, behind a zero, to `show stat`.
pub fn haproxy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (states, statistics) = text.split_once('\0').unwrap_or((&text, &text));
    let (Some(states), Some(statistics)) = (table::states(states), table::statistics(statistics)) else {
        return;
    };
    for state in &states {
        let Some(name) = state.get("srv_name").and_then(|name| ServerName::new(name).ok()) else { continue };
        let Some(row) = statistics.iter().find(|row| row.get("svname") == Some(name.as_str())) else {
            continue;
        };
        let server = Server::of(state, row);
        let _ = server.is_drained();
        let _ = server.sight();
        for traffic in [Traffic::In(1), Traffic::In(50), Traffic::FULL, Traffic::Out, Traffic::Cut] {
            for command in server.commands("www", traffic) {
                // Whatever was answered, it is not to become another command.
                let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
                assert!(command.bytes().all(|byte| plain(byte) && byte != b';'), "{command:?}");
                assert!(command.contains("www/"), "{command:?}");
            }
        }
    }
}
