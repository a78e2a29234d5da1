//! The same against real servers, and what becomes of calls when those are killed, slow, silent, full, or spoilt.

/// Skips where a program is not named.
macro_rules! program_or_skip {
    ($name:literal) => {
        match std::env::var_os($name) {
            Some(path) => std::path::PathBuf::from(path),
            None => {
                eprintln!(concat!("skipped: ", $name, " names no server"));
                return;
            }
        }
    };
}

mod fleets;
mod gateways;
mod kinds;
mod lost;
mod slow;
mod spoilt;
