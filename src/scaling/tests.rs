//! The scaler under a steered clock, and its messages as bytes.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod bytes;
mod house;
mod streams;
mod words;
