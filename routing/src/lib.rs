//! The pure core of Sluice: facts in, decision out.
#![forbid(unsafe_code)]
