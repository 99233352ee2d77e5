//! How the comparison of new with old hosts stands, in the live picture and in logs.

use andon_core::analysis::{MetricStanding, Standing, phrase};

use super::legible;
use crate::paint::Paint;

/// Metrics that share one line.
const ON_A_LINE: usize = 2;

/// A few lines: what is seen in one sentence, then the numbers.
pub(crate) fn lines(standing: &Standing, paint: Paint) -> Vec<String> {
    let sentence = format!("  {}: {}", paint.strong(standing.title()), legible(&standing.sentence));
    let numbers: Vec<String> =
        standing.metrics.iter().filter(|metric| metric.ratio.is_some()).map(told).collect();
    let rows =
        numbers.chunks(ON_A_LINE).map(|row| format!("    {}", paint.dim(&paint.spelled(&row.join("   ")))));
    std::iter::once(sentence).chain(rows).collect()
}

fn told(metric: &MetricStanding) -> String {
    phrase::metric(metric)
}

/// The same for a log, when the verdict or what is waited for has changed.
pub(crate) fn change(before: Option<&Standing>, after: &Standing) -> Option<String> {
    let same =
        before.is_some_and(|before| before.title() == after.title() && before.verdict == after.verdict);
    (!same).then(|| format!("{}: {}", after.title(), legible(&after.sentence)))
}
