//! Acts on a host: releases, processes, checks, exactly once.

pub mod observe;
pub mod probe;
pub mod run;
pub mod verify;
