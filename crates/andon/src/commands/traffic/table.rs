//! The moment as a table. Pure: rows in, lines out. A thousand instances are as calm as ten: those that fare alike
//! become one row, and what is in trouble stays by itself.

use andon_core::balance::HostSight;
use andon_core::balance::numbers::Flow;
use andon_core::scope::ScopeName;
use andon_server::clock;

use super::{Moment, Row};
use crate::paint::Paint;
use crate::screen::{legible, paragraph};
use crate::when;

/// Rows beyond which those that fare alike become one, where nothing limits the height.
pub(super) const TALL: usize = 40;
/// Lines around the rows.
const AROUND: usize = 8;

/// A column. Words begin below each other, numbers end there.
struct Column {
    title: &'static str,
    /// How soon it is left out where there is little room; 0 never.
    spare: u8,
    text: fn(&Row) -> String,
    words: bool,
}

const fn figures(title: &'static str, spare: u8, text: fn(&Row) -> String) -> Column {
    Column { title, spare, text, words: false }
}

const COLUMNS: [Column; 12] = [
    Column { title: "state", spare: 0, text: |row| row.state.to_owned(), words: true },
    figures("req/s", 0, |row| rate(row, |flow| flow.rates.requests)),
    figures("4xx/s", 3, |row| rate(row, |flow| flow.rates.responses[4])),
    figures("5xx/s", 0, |row| rate(row, |flow| flow.rates.responses[5])),
    figures("p50", 4, |row| time(row, 0.5)),
    figures("p99", 1, |row| time(row, 0.99)),
    // Of sources that know no single times.
    figures("mean", 1, |row| row.flow.as_ref().and_then(only_mean).map(millis).unwrap_or_default()),
    figures("sessions", 2, |row| row.sessions().map_or_else(unknown, thousands)),
    figures("queue", 5, |row| thousands(row.queued())),
    figures("retries/s", 7, |row| rate(row, |flow| flow.rates.retries)),
    figures("refused/s", 6, |row| rate(row, |flow| flow.rates.connect_failures)),
    figures("share", 8, share),
];

/// The table in lines of at most `width` columns, and about `height` lines.
pub(super) fn lines(
    scope: &ScopeName,
    moment: &Moment,
    paint: Paint,
    width: usize,
    height: usize,
) -> Vec<String> {
    let shown = fold(&moment.rows, height.saturating_sub(AROUND).max(6));
    let total = sum(&moment.rows);
    let name = paint.strong(&paint.spelled(&scope.to_string()));
    let over = format!("{:.0} s until {}", moment.over.as_secs_f64(), when::clock(clock::now()));
    let title = paragraph("", &format!("{name}  {}, {over}", counted(moment.rows.len())), width);
    let mut lines: Vec<String> = title.lines().map(str::to_owned).collect();
    let all: Vec<&Row> = shown.iter().chain([&total]).collect();
    let (columns, names) = layout(&all, width);
    let head: Vec<String> = columns.iter().map(|(column, wide)| column.pad(column.title, *wide)).collect();
    lines.push(paint.dim(format!("  {:names$}  {}", "", head.join("  ")).trim_end()));
    for row in &shown {
        lines.push(line(row, sign(row, paint), &columns, names));
        if let Some(why) = &row.why {
            lines.extend(paragraph("    ", &legible(why), width).lines().map(str::to_owned));
        }
    }
    lines.push(line(&total, " ".to_owned(), &columns, names));
    for (pool, why) in &moment.silent {
        let text = format!("{pool} does not answer: {}", legible(why));
        lines.extend(paragraph(&format!("{} ", paint.question()), &text, width).lines().map(str::to_owned));
    }
    lines
}

/// The columns that there is room for with their widths, and the width of the names.
fn layout(rows: &[&Row], width: usize) -> (Vec<(&'static Column, usize)>, usize) {
    let measure = console::measure_text_width;
    let names = rows.iter().map(|row| measure(&row.name)).max().unwrap_or(0);
    let wide = |column: &Column| {
        let widest = rows.iter().map(|row| measure(&(column.text)(row))).max().unwrap_or(0);
        widest.max(measure(column.title))
    };
    // Times are quantiles or means; a column that says nothing of any row is not there.
    let says = |column: &&Column| rows.iter().any(|row| !(column.text)(row).is_empty());
    let mut columns: Vec<(&Column, usize)> =
        COLUMNS.iter().filter(says).map(|column| (column, wide(column))).collect();
    let needs =
        |columns: &[(&Column, usize)]| 2 + names + columns.iter().map(|(_, wide)| wide + 2).sum::<usize>();
    while needs(&columns) > width {
        let last = columns.iter().filter(|(column, _)| column.spare > 0);
        let Some(spare) = last.map(|(column, _)| column.spare).max() else { break };
        columns.retain(|(column, _)| column.spare != spare);
    }
    (columns, names)
}

fn line(row: &Row, sign: String, columns: &[(&Column, usize)], names: usize) -> String {
    let cells: Vec<String> =
        columns.iter().map(|(column, wide)| column.pad(&(column.text)(row), *wide)).collect();
    format!("{sign} {:names$}  {}", row.name, cells.join("  ")).trim_end().to_owned()
}

impl Column {
    fn pad(&self, text: &str, wide: usize) -> String {
        let room = " ".repeat(wide.saturating_sub(console::measure_text_width(text)));
        if self.words { format!("{text}{room}") } else { format!("{room}{text}") }
    }
}

fn sign(row: &Row, paint: Paint) -> String {
    match (row.in_traffic, row.well) {
        (true, _) if is_calm(row) => paint.tick(),
        (true, _) => paint.half(),
        (false, true) => paint.dot(),
        (false, false) => paint.cross(),
    }
}

/// In traffic, and nothing wrong with it.
fn is_calm(row: &Row) -> bool {
    let errors = row.flow.as_ref().is_some_and(|flow| trouble(flow) > 0);
    row.in_traffic && row.why.is_none() && !errors && row.queued() == 0
}

fn trouble(flow: &Flow) -> u64 {
    let counters = &flow.counters;
    counters.responses[5] + counters.connect_failures + counters.response_failures
}

/// At most about `room` rows: the calm ones become one, and so does what is beyond the worst.
fn fold(rows: &[Row], room: usize) -> Vec<Row> {
    if rows.len() <= room {
        return rows.to_vec();
    }
    let (calm, mut others): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(is_calm);
    others.sort_by_key(|row| {
        (row.well, row.in_traffic, std::cmp::Reverse(row.flow.as_ref().map_or(0, trouble)))
    });
    // A row with a reason takes two lines.
    let shown = others.len().min(room / 2);
    let beyond = others.split_off(shown);
    if !beyond.is_empty() {
        let mut row = sum(&beyond);
        row.name = format!("{} more like these", beyond.len());
        others.push(row);
    }
    if !calm.is_empty() {
        let mut row = sum(&calm);
        row.name = format!("{} up", counted(calm.len()));
        row.why = spread(&calm);
        others.push(row);
    }
    others
}

/// How even the load of instances is that share a row.
fn spread(rows: &[Row]) -> Option<String> {
    let rates = || rows.iter().filter_map(|row| Some(row.flow.as_ref()?.rates.requests));
    let (least, most) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    Some(format!("each between {} and {} requests/s", number(least), number(most)))
}

/// All rows as one.
pub(super) fn sum(rows: &[Row]) -> Row {
    let mut flow: Option<Flow> = None;
    for more in rows.iter().filter_map(|row| row.flow.as_ref()) {
        flow.get_or_insert_default().merge(more);
    }
    // Sessions and queues of all are the servers of all, as if they were those of one.
    let mut sight = HostSight::default();
    for (pool, seen) in rows.iter().flat_map(|row| &row.sight.pools) {
        let Ok(servers) = seen else { continue };
        let own = sight.pools.entry(pool.clone()).or_insert_with(|| Ok(Vec::new()));
        if let Ok(own) = own {
            own.extend(servers.iter().cloned());
        }
    }
    Row {
        name: "all".to_owned(),
        spot: None,
        in_traffic: rows.iter().all(|row| row.in_traffic),
        well: rows.iter().all(|row| row.well),
        state: "",
        why: None,
        sight,
        flow,
        count: rows.iter().map(|row| row.count).sum(),
    }
}

fn counted(instances: usize) -> String {
    format!("{instances} instance{}", if instances == 1 { "" } else { "s" })
}

fn unknown() -> String {
    "?".to_owned()
}

fn share(row: &Row) -> String {
    match row.share() {
        Some(share) if row.count == 1 => format!("{share} %"),
        _ => String::new(),
    }
}

fn rate(row: &Row, of: impl Fn(&Flow) -> f64) -> String {
    row.flow.as_ref().map_or_else(unknown, |flow| number(of(flow)))
}

/// `0`, `0.3`, `48`, `1,204`; what happened and is less than a tenth is never called nought.
fn number(number: f64) -> String {
    match number {
        n if n <= 0.0 => "0".to_owned(),
        n if n < 0.05 => "<0.1".to_owned(),
        n if n < 9.95 => format!("{n:.1}"),
        n => grouped(&format!("{n:.0}")),
    }
}

fn thousands(number: u64) -> String {
    grouped(&number.to_string())
}

fn grouped(digits: &str) -> String {
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups.filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn time(row: &Row, share: f64) -> String {
    let flow = row.flow.as_ref();
    flow.and_then(|flow| flow.quantile_us(share)).map(millis).unwrap_or_default()
}

/// The mean time of a source that has no single ones.
fn only_mean(flow: &Flow) -> Option<f64> {
    if flow.counters.latency.is_some() { None } else { flow.mean_us() }
}

fn millis(us: f64) -> String {
    match us {
        us if us < 9_950.0 => format!("{:.1} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.1} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests;
