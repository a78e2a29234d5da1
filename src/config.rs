//! What `sluice.yaml` says: read, checked and watched.
//!
//! A file is taken whole or refused whole. It goes through four rooms, and the first three gather every problem
//! before anything is refused:
//!
//! 1. `source` reads the file into a `tree` that knows the place of each value, and fills in `${ENV:NAME}`;
//! 2. `shape` holds the tree against the schema: unknown keys, missing keys, wrong types, bad units;
//! 3. `check` knows what no schema can say: names that must exist, addresses that collide, ...
//! 4. [`watch`] does all this again when the file changes.
//!
//! Nothing here applies a configuration or listens on anything.

use std::{collections::HashMap, path::Path};

use sha2::{Digest as _, Sha256};

pub use self::problem::{Problem, Problems};
use self::{model::Config, source::Environment, tree::Node};

pub mod command;
pub mod groups;
pub mod markdown;
pub mod model;
pub mod reload;
pub mod schema;
pub mod trust;
pub mod units;
pub mod watch;

pub(crate) mod certificates;
mod check;
pub(crate) mod named;
pub(crate) mod nearest;
mod problem;
pub(crate) mod sealing_keys;
mod shape;
mod source;
mod tree;

/// A configuration without a problem, and the name of the very bytes that it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says, `${ENV:NAME}` filled in.
    pub config: Config,
    /// `sha256:` and the hex digest of the file's bytes; equal on replicas that run the same file.
    pub hash: String,
    /// The same of the certificates and keys that it names; empty without any.
    pub files: String,
    /// What works and should not stay so.
    pub warnings: Vec<Problem>,
}

impl Loaded {
    /// Another text whenever there may be something else to take over.
    pub fn state(&self) -> String {
        format!("{} {}", self.hash, self.files)
    }
}

/// Reads and checks the file; fails with every problem that it has.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_with(path, &|name| std::env::var(name).ok())
}

/// As [`load`], with another environment than the process' own.
fn load_with(path: &Path, environment: Environment<'_>) -> Result<Loaded, Problems> {
    let shown = path.display().to_string();
    let bytes =
        source::read(path).map_err(|problem| Problems::unreadable(shown.clone(), problem))?;
    let hash = format!("sha256:{:x}", Sha256::digest(&bytes));
    let mut found = Vec::new();
    match build(&bytes, environment, &mut found) {
        Some((config, tree)) if found.is_empty() => {
            let warnings = check::warnings(&config, &tree);
            let files = named::digest(&config);
            Ok(Loaded { config, hash, warnings, files })
        }
        _ => Err(Problems::new(shown, found)),
    }
}

/// The configuration as far as it could be read, and the places of its values; it counts only when `found` stays empty.
fn build(
    bytes: &[u8],
    environment: Environment<'_>,
    found: &mut Vec<Problem>,
) -> Option<(Config, Node)> {
    let mut tree = source::parse(bytes, found)?;
    source::expand(&mut tree, environment, found);
    let fitted = shape::fit(&tree, found);
    if !tree.is_mapping() {
        return None;
    }
    match serde_json::from_value::<Config>(fitted) {
        Ok(config) => {
            check::check(&config, &tree, found);
            Some((config, tree))
        }
        Err(error) => {
            found.push(Problem::at(&tree, String::new(), format!("cannot be read: {error}"), ""));
            None
        }
    }
}

/// Reads a configuration from text, for tests and for the demo; `variables` are its whole environment.
pub fn from_text(text: &str, variables: &HashMap<String, String>) -> Result<Config, Problems> {
    let mut found = Vec::new();
    match build(text.as_bytes(), &|name| variables.get(name).cloned(), &mut found) {
        Some((config, _)) if found.is_empty() => Ok(config),
        _ => Err(Problems::new("sluice.yaml".to_owned(), found)),
    }
}

#[cfg(test)]
mod tests;
