//! What every ledger must do, as tests that know only the door. A new kind of ledger implements
//! [`Stand`] and calls [`ledger_suite!`](crate::ledger_suite) in its tests.
//!
//! Each case is a function that panics when the ledger is wrong.

#![allow(clippy::expect_used, clippy::panic, reason = "these functions are tests")]
#![allow(clippy::missing_panics_doc, reason = "panicking is how a test fails")]

pub mod appending;
pub mod leasing;
pub mod reading;
pub mod viewing;

use std::future::Future;

use andon_core::time::Time;
use serde_json::{Value, json};

use crate::{Batch, Holder, Ledger, Record, StreamAppend, ViewUpdate};

/// A place with one empty ledger, which can be opened several times, also while it is open.
pub trait Stand: Send + Sync {
    /// The kind of ledger.
    type Ledger: Ledger + 'static;

    /// One more handle to the ledger, as another process would have it.
    fn open(&self) -> impl Future<Output = Self::Ledger> + Send;
}

/// Makes one test of each case of the suite. The argument is an expression that gives a new
/// [`Stand`](crate::suite::Stand) for each of them.
#[macro_export]
macro_rules! ledger_suite {
    ($stand:expr) => {
        $crate::ledger_suite!(@cases $stand, appending: [
            positions_and_seqs_have_no_gaps,
            a_stream_that_moved_on_refuses_the_append,
            a_batch_with_one_conflict_writes_nothing_at_all,
            an_append_without_facts_only_checks_the_stream,
            every_fact_of_concurrent_writers_to_one_stream_is_kept_once,
            concurrent_writers_to_many_streams_share_one_order,
            what_is_out_of_bounds_is_refused_and_leaves_nothing,
            a_fact_comes_back_as_it_was_given,
        ]);
        $crate::ledger_suite!(@cases $stand, reading: [
            a_stream_is_read_in_order_from_any_place,
            the_tail_has_all_streams_in_the_order_of_their_positions,
            large_facts_come_in_several_answers,
            another_handle_sees_everything_and_the_same_id,
            a_sound_ledger_verifies_up_to_its_head,
        ]);
        $crate::ledger_suite!(@cases $stand, viewing: [
            a_row_is_made_and_replaced_together_with_facts,
            rows_come_with_the_highest_rank_first_and_in_pages,
            rows_of_equal_rank_are_not_lost_between_pages,
            a_prefix_is_taken_literally,
        ]);
        $crate::ledger_suite!(@cases $stand, leasing: [
            a_lease_is_refused_to_others_until_it_runs_out,
            a_renewal_keeps_the_fence,
            a_lapse_shows_in_the_fence_even_to_its_former_holder,
            a_clock_that_goes_backwards_neither_frees_nor_shortens,
            only_the_holder_with_that_fence_releases,
            stealing_takes_the_lease_at_once,
            fences_grow_across_names_and_handles,
            of_many_who_ask_at_once_one_gets_the_lease,
            a_lease_out_of_bounds_is_refused,
        ]);
    };
    (@cases $stand:expr, $module:ident: [$($case:ident),* $(,)?]) => {
        mod $module {
            #[allow(unused_imports, reason = "the expression may need what is around it, or not")]
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::suite::$module::$case(&$stand).await;
            })*
        }
    };
}

/// A batch with facts for one stream.
pub fn batch(stream: &str, expected: u64, facts: impl IntoIterator<Item = Value>) -> Batch {
    let append = StreamAppend { stream: stream.to_owned(), expected, facts: facts.into_iter().collect() };
    Batch { at: Time(1_000), by: "ada".to_owned(), appends: vec![append], views: Vec::new() }
}

/// A fact that says which one it is.
pub fn fact(number: u64) -> Value {
    json!({ "number": number })
}

fn row(view: &str, key: &str, rank: i64) -> ViewUpdate {
    ViewUpdate { view: view.to_owned(), key: key.to_owned(), rank, body: json!({ "key": key }) }
}

fn holder(id: &str) -> Holder {
    Holder { id: id.to_owned(), description: format!("the controller {id}") }
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().filter_map(|record| record.fact["number"].as_u64()).collect()
}
