//! What is told of queries: the log, the audit, the ring of `/api/v1/queries`, counted rows; and what is never told.
//!
//! Lines are held against the golden schemas, by a validator that knows as much of JSON Schema as they use.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod audit;
mod endings;
mod log;
mod ring;
mod schema;
mod secrets;
