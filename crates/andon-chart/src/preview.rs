//! For tests: writes charts into the directory that `ANDON_CHARTS` names, so that they can be looked at.

use crate::drawing::Chart;

pub(crate) fn keep(name: &str, chart: &Chart) {
    let Some(directory) = std::env::var_os("ANDON_CHARTS") else { return };
    let directory = std::path::PathBuf::from(directory);
    let room = if chart.room == crate::Room::Wide { "wide" } else { "narrow" };
    std::fs::write(directory.join(format!("{name}-{room}.svg")), chart.svg()).unwrap();
    std::fs::write(directory.join(format!("{name}-{room}.png")), chart.png().unwrap()).unwrap();
}
