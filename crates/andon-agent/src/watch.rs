//! Waiting until something changes in a directory, without looking again and again.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// Between two looks where the kernel grants no watch (their number is limited per user).
const BLIND: Duration = Duration::from_millis(50);

/// Between two looks with a watch: only against a file system that reports nothing.
const SEEING: Duration = Duration::from_secs(1);

/// A watch on one directory.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: Option<OwnedFd>,
}

impl Watch {
    /// Watches for new names in `directory`.
    pub(crate) fn names(directory: &Path) -> Self {
        Self::on(directory, WatchFlags::CREATE | WatchFlags::MOVED_TO)
    }

    /// Watches for new names, writes, and the end of writers: a lock's file is closed when its holder dies.
    pub(crate) fn everything(directory: &Path) -> Self {
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE;
        Self::on(directory, flags)
    }

    fn on(directory: &Path, flags: WatchFlags) -> Self {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        Self { inotify: inotify.filter(|fd| inotify::add_watch(fd, directory, flags).is_ok()) }
    }

    /// What to poll for reading, where there is a watch.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// The longest time to go without a look.
    pub(crate) fn patience(&self) -> Duration {
        if self.inotify.is_some() { SEEING } else { BLIND }
    }

    /// Forgets what was reported up to now.
    pub(crate) fn clear(&self) {
        let mut buffer = [0; 4096];
        if let Some(fd) = &self.inotify {
            while rustix::io::read(fd, &mut buffer).is_ok_and(|length| length > 0) {}
        }
    }

    /// Returns after a change, or after [`Watch::patience`] at the latest.
    pub(crate) fn wait(&self) {
        match &self.inotify {
            Some(fd) => {
                poll_for(&mut [PollFd::new(fd, PollFlags::IN)], self.patience());
                self.clear();
            }
            None => std::thread::sleep(BLIND),
        }
    }
}

/// Waits until a descriptor is ready, at most `time`. A signal ends the wait early.
pub(crate) fn poll_for(descriptors: &mut [PollFd<'_>], time: Duration) {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let limit = Timespec { tv_sec: seconds, tv_nsec: i64::from(time.subsec_nanos()) };
    // The callers look at everything again after any return.
    let _ = poll(descriptors, Some(&limit));
}
