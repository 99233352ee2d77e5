//! The page of the timeline, of nothing, one and many deployments.
