//! Deployments that are disturbed while users are there.
