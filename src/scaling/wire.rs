//! The messages and the service of KEDA's external scaler, as `build.rs` makes them from `proto/externalscaler.proto`.

#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::clone_on_ref_ptr,
    clippy::large_futures,
    clippy::needless_pass_by_value,
    clippy::str_to_string,
    reason = "nobody writes it"
)]

include!(concat!(env!("OUT_DIR"), "/externalscaler.rs"));
