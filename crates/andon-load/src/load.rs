//! The load itself: a clock that does not wait for answers, and one task for each request.
//!
//! It runs in a thread of its own. It never slows down because a server does: a request that cannot be sent is counted
//! as failed, not left out.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::mix::{Mix, Request};
use crate::tally::{Failure, Fault, Tally};
use connection::{Connection, Ending, Idle};

mod connection;

/// Requests under way at once; what is due beyond them is counted as not sent.
const MAX_UNDER_WAY: usize = 4000;

/// Connections that are kept open for later requests.
const MAX_IDLE: usize = 500;

/// A load that runs until it is stopped. Dropping it ends it at once, and counts nothing more.
#[derive(Debug)]
pub struct Load {
    begun: Instant,
    counted: Arc<Mutex<Counted>>,
    wish: watch::Sender<Wish>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    GoOn,
    /// Begin nothing new, and end when what is under way has ended.
    Finish,
    /// End at once.
    Leave,
}

/// What was counted since the last lap, and before.
#[derive(Debug, Default)]
struct Counted {
    lap: Tally,
    before: Tally,
}

impl Load {
    /// Begins to send to `target`.
    ///
    /// # Errors
    /// The system's, when it has no thread or no descriptors to spare.
    pub fn start(target: SocketAddr, mix: Mix) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (begun, counted) = (Instant::now(), Arc::<Mutex<Counted>>::default());
        let (wish, wishes) = watch::channel(Wish::GoOn);
        let course =
            Arc::new(Course { target, mix, begun, counted: Arc::clone(&counted), idle: Mutex::default() });
        let work = move || runtime.block_on(run(&course, wishes));
        let thread = Some(thread::Builder::new().name("load".to_owned()).spawn(work)?);
        Ok(Self { begun, counted, wish, thread })
    }

    /// The time since it began, which the moments of a [`Tally`] are counted from.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What has ended since the last lap, or since the start.
    pub fn lap(&self) -> Tally {
        let mut counted = lock(&self.counted);
        let lap = std::mem::take(&mut counted.lap);
        counted.before.merge(&lap);
        lap
    }

    /// What has ended so far.
    pub fn so_far(&self) -> Tally {
        let counted = lock(&self.counted);
        let mut total = counted.before.clone();
        total.merge(&counted.lap);
        total
    }

    /// Begins no further request, and waits for those under way: at most as long as the patience of the mix.
    pub fn finish(&mut self) {
        self.end(Wish::Finish);
    }

    /// [Finishes](Self::finish), and tells all that was counted since the start.
    pub fn stop(mut self) -> Tally {
        self.finish();
        self.so_far()
    }

    fn end(&mut self, wish: Wish) {
        self.wish.send_replace(wish);
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, what it has counted would still be told.
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end(Wish::Leave);
    }
}

/// What every request of a load needs to know.
struct Course {
    target: SocketAddr,
    mix: Mix,
    begun: Instant,
    counted: Arc<Mutex<Counted>>,
    /// Open connections, the one that has rested longest in front: it is used first, so that none is forgotten.
    idle: Mutex<VecDeque<Connection>>,
}

async fn run(course: &Arc<Course>, mut wishes: watch::Receiver<Wish>) {
    let mut under_way = JoinSet::new();
    let mut due = course.begun;
    for number in 0.. {
        tokio::select! {
            biased;
            _ = wishes.wait_for(|wish| *wish != Wish::GoOn) => break,
            () = sleep_until(due) => {}
        }
        while under_way.try_join_next().is_some() {}
        let request = course.mix.request(number);
        if under_way.len() < MAX_UNDER_WAY {
            under_way.spawn(perform(Arc::clone(course), request, due));
        } else {
            course.fail(&request, due, None, None, Fault::NotSent(MAX_UNDER_WAY));
        }
        due += course.mix.interval();
    }
    // Those that are left behind by leaving are dropped with the set.
    tokio::select! {
        _ = wishes.wait_for(|wish| *wish == Wish::Leave) => {}
        () = async { while under_way.join_next().await.is_some() {} } => {}
    }
}

async fn perform(course: Arc<Course>, request: Request, due: Instant) {
    let begun = Instant::now();
    course.late(begun - due);
    let mut port = None;
    let deadline = begun + course.mix.patience;
    if timeout_at(deadline, attempt(&course, &request, due, &mut port)).await.is_err() {
        course.fail(&request, due, port, None, Fault::Timeout(course.mix.patience));
    }
}

/// Our port, and whether the connection was used before.
type Port = Option<(u16, bool)>;

/// Performs a request and counts it.
async fn attempt(course: &Course, request: &Request, due: Instant, port: &mut Port) {
    let mut connection = match course.connect(request, due).await {
        Ok(connection) => connection,
        Err(fault) => return course.fail(request, due, *port, None, fault),
    };
    *port = Some((connection.local_port, connection.reused));
    let mut ending = connection.exchange(request, course.target).await;
    if connection.reused && ending.fault.as_ref().is_some_and(was_closed_before) {
        lock(&course.counted).lap.reopened += 1;
        connection = match Connection::open(course.target).await {
            Ok(connection) => connection,
            Err(fault) => return course.fail(request, due, None, None, fault),
        };
        *port = Some((connection.local_port, false));
        ending = connection.exchange(request, course.target).await;
    }
    let Ending { server, stays_open, fault } = ending;
    if let Some(fault) = fault {
        return course.fail(request, due, *port, server, fault);
    }
    lock(&course.counted).lap.succeed(due - course.begun, due.elapsed(), server);
    if stays_open {
        connection.reused = true;
        course.keep(connection);
    }
}

/// Whether a connection may have been closed by the server before it saw the request.
fn was_closed_before(fault: &Fault) -> bool {
    matches!(fault, Fault::Send(_) | Fault::NoAnswer | Fault::Reset { received: 0, .. })
}

impl Course {
    /// A connection for a request: one that rests, unless the request wants its own.
    async fn connect(&self, request: &Request, due: Instant) -> Result<Connection, Fault> {
        while let Some(connection) = self.rested(request) {
            match connection.idle() {
                Idle::Usable => return Ok(connection),
                Idle::Closed => {}
                Idle::Disturbed => {
                    let port = Some((connection.local_port, true));
                    self.fail(request, due, port, None, Fault::Unasked);
                }
            }
        }
        Connection::open(self.target).await
    }

    fn rested(&self, request: &Request) -> Option<Connection> {
        if request.fresh { None } else { lock(&self.idle).pop_front() }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE {
            idle.push_back(connection);
        }
    }

    fn late(&self, late: Duration) {
        let lap = &mut lock(&self.counted).lap;
        lap.late = lap.late.max(late);
    }

    fn fail(&self, request: &Request, due: Instant, port: Port, server: Option<String>, fault: Fault) {
        lock(&self.counted).lap.fail(Failure {
            at: due - self.begun,
            after: due.elapsed(),
            request: *request,
            local_port: port.map(|(port, _)| port),
            reused: port.is_some_and(|(_, reused)| reused),
            server,
            fault,
        });
    }
}

/// What is counted stays true when a thread dies while counting.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
