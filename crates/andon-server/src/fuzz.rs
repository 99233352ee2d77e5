//! What must hold for whatever others send to the server, whatever it is. Called by fuzzing and by the replay of its
//! corpora. The checks stand beside the code that reads.

pub use crate::evaluations::fuzz::evaluation;
pub use crate::history::fuzz::history;
pub use crate::http::fuzz::flagger;
pub use crate::senses::fuzz::{exposition, prometheus, pushed, statsd};

#[cfg(test)]
mod tests {
    use andon_testbed::corpus::replay;

    #[test]
    fn bodies_that_were_found_do_no_harm() {
        replay("evaluation", super::evaluation);
        replay("flagger", super::flagger);
    }

    #[test]
    fn numbers_that_were_found_do_no_harm() {
        replay("exposition", super::exposition);
        replay("history", super::history);
        replay("prometheus", super::prometheus);
        replay("pushed", super::pushed);
        replay("statsd", super::statsd);
    }
}
