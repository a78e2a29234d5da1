//! What `sluice.yaml` says.

pub mod model;
pub mod units;
