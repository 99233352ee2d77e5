//! A terminal that stays still under a live picture: `^C` and `^Z` that are typed are not shown, because they would move
//! it by a line. How the terminal was before is put back.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// Keeps the terminal still while it lives.
pub(crate) struct Still {
    before: Termios,
}

impl Still {
    /// Nothing is done in the background: whoever changes the terminal from there is stopped.
    pub(crate) fn begin() -> Option<Self> {
        let stdin = std::io::stdin();
        let in_front = tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
        if !in_front {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHOCTL);
        tcsetattr(&stdin, OptionalActions::Now, &quiet).ok()?;
        Some(Self { before })
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        // A terminal that is gone does not mind.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// Keeps what is typed from being shown while it lives.
pub(crate) struct Unseen {
    before: Termios,
}

impl Unseen {
    /// `None` where there is no terminal to be kept from showing it.
    pub(crate) fn begin() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &quiet).ok()?;
        Some(Self { before })
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}
