//! Records which revision and compiler a build is of, for `--version` and `gateway_build_info`.

use std::process::Command;

fn main() {
    let revision = output("git", &["rev-parse", "--short", "HEAD"]);
    let rustc =
        output(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["--version"]);
    println!("cargo:rustc-env=SLUICE_REVISION={revision}");
    println!("cargo:rustc-env=SLUICE_RUSTC={rustc}");
    println!("cargo:rerun-if-changed=.git/HEAD");
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
