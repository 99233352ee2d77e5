//! The judge in small worlds of made-up traffic: every pitfall of judging releases, one by one.

mod analysis {
    pub(crate) mod gross;
    pub(crate) mod harm;
    pub(crate) mod hostile;
    pub(crate) mod pitfalls;
    pub(crate) mod replay;
    pub(crate) mod world;
}
