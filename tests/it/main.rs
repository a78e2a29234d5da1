//! The integration tests: the gateway from outside, as a client sees it.

mod admin;
mod oauth2;
mod pages;
mod ui;
