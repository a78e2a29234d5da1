//! Records which revision and compiler a build is of, for `--version` and `gateway_build_info`, and makes the messages
//! and services of `proto/`.
//!
//! No `protoc` is needed. The client is only for the tests: it is made beside the server, not in it.

use std::{env, error::Error, fs, path::PathBuf, process::Command};

/// KEDA's contract with an external scaler.
const EXTERNAL_SCALER: &str = "proto/externalscaler.proto";

fn main() -> Result<(), Box<dyn Error>> {
    let revision = output("git", &["rev-parse", "--short", "HEAD"]);
    let rustc = output(&env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["--version"]);
    println!("cargo:rustc-env=SLUICE_REVISION={revision}");
    println!("cargo:rustc-env=SLUICE_RUSTC={rustc}");
    // The one changes with the branch, the other with each commit on it.
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    external_scaler()
}

fn external_scaler() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={EXTERNAL_SCALER}");
    let contract = protox::compile([EXTERNAL_SCALER], ["proto"])?;
    let client = PathBuf::from(env::var("OUT_DIR")?).join("client");
    fs::create_dir_all(&client)?;
    tonic_prost_build::configure().build_client(false).compile_fds(contract.clone())?;
    tonic_prost_build::configure().build_server(false).out_dir(client).compile_fds(contract)?;
    Ok(())
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|answer| answer.status.success())
        .and_then(|answer| String::from_utf8(answer.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}
