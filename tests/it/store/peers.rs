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

mod failovers;
mod figures;
mod fleets;
mod full;
mod gateways;
mod kinds;
mod lost;
mod pair;
mod paused;
mod slow;
mod spoilt;
mod switched;
mod toxic;

/// Gateways' ground on a store, by the keys of `store.redis` but for `secretFile`; the file lives as long as its guard.
fn ground_at(keys: &str) -> (super::Ground, tempfile::NamedTempFile) {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "0a".repeat(32)).unwrap();
    let path = secret.path().display();
    (
        super::Ground::Server(format!("store: {{ redis: {{ {keys}, secretFile: '{path}' }} }}")),
        secret,
    )
}
