//! Files that are right, and every way to be wrong.

use super::*;

mod certificates;
mod files;
mod mistakes;
mod right;
mod store;
mod telemetry;
mod trust;
mod waking;

/// The smallest file that is right, for heads that are not.
const GROUPS: &str = "routingGroups: [{name: a, backends: [{name: a, url: 'http://a:8080'}]}]\n";

fn right(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn read(text: &str) -> Result<Config, Problems> {
    let variables = [
        ("TOKEN", "s3cr3t"),
        ("WORKERS", "4"),
        ("HALF", "0.5"),
        ("BIND", "127.0.0.1:9999"),
        ("PASSWORD_URL", "http://user:s3cr3t@host"),
        ("BAD_NAME", "S3CR3T NAME"),
    ];
    let variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    from_text(text, &variables)
}

/// The problems as `check` prints them, a line each.
fn wrong(text: &str) -> Vec<String> {
    read(text)
        .err()
        .map_or_else(Vec::new, |all| all.to_string().lines().map(str::to_owned).collect())
}
