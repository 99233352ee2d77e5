//! Analysis: instances on the new release compared with instances on the old one, at the same moment.
//!
//! Readings go in, a standing comes out. Everything that an analysis hears is an [`Entry`]; its state is a fold of its
//! entries ([`Judge::apply`]), so a recording that is judged again gives the same verdicts, bit for bit, and an analysis
//! that was killed goes on where its recording ends. No clock, no randomness, no map whose order is not its keys'.

pub use baseline::{Baseline, MetricBaseline};
pub use calibration::{Calibration, TooLittle};
pub use history::{FakeCanaries, Row, SlowBound};
pub use judge::Judge;
pub use metric::{Measure, Metric, Role, Worse};
pub use recording::{Header, Recording};
pub use spec::{Policy, Spec};
pub use standing::{HoldReason, MetricStanding, Standing, Status, Suspect, Verdict};
pub use tick::{Alarm, Arm, Entry, Reading, Seen, Tick};

mod baseline;
mod bounds;
mod calibration;
mod clock;
mod contrast;
mod environment;
mod evidence;
mod exceptions;
pub mod gathering;
mod gauge;
mod guards;
pub mod history;
mod judge;
mod metric;
mod negligible;
pub mod phrase;
pub mod planner;
mod power;
pub mod recording;
mod roster;
mod sides;
mod spec;
mod standing;
mod tick;
mod traffic;
mod wording;
