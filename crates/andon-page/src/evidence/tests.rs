//! What is shown of a deployment.
