//! The command line: what `--help` says, and the demo from its first line to its exit code.

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use clap::CommandFactory;
use sluice::cli::Cli;
use tokio::{process::Command, time::timeout};

/// The story takes two seconds; a machine that compiles beside the tests may need more.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn help_is_that_of_the_golden_file() {
    let mut cli = Cli::command();
    cli.build();
    let mut now = cli.render_long_help().to_string();
    for command in cli.get_subcommands_mut() {
        let help = command.render_long_help();
        write!(now, "\n=== {}\n\n{help}", command.get_name()).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help.txt");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, golden, "--help changed; if that is meant, run the test with SLUICE_BLESS=1");
}

/// Its default data port is taken here, by this test or by somebody else: it stands in with a free one.
#[tokio::test]
async fn the_demo_tells_its_story_and_every_answer_is_right() {
    let _taken = TcpListener::bind("127.0.0.1:8080");
    let output = sluice(&["demo", "--once"]).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("All 10 answers are right"), "{told}");
    assert!(told.contains("asleep: nothing listens at"), "{told}");
    assert!(told.contains("free ports stand in"), "{told}");
    assert!(!told.contains("WARN"), "the log drowns the story: {told}");
}

async fn sluice(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    // As in a bare container image: no authority's certificate anywhere.
    command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("it ends in time").expect("it runs")
}
