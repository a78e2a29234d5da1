//! The command line: what `--help` says, and the demo from its first line to its exit code.

use std::{
    fmt::Write as _,
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use clap::CommandFactory;
use sluice::cli::Cli;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::harness::wait;

/// The story takes ten seconds, two cold starts among them; a machine that compiles beside the tests may need more.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let output = told_by(demo().arg("--once")).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("All 15 answers are right"), "{told}");
    assert!(told.contains("free ports stand in"), "{told}");
    assert!(!told.contains("WARN"), "the log drowns the story: {told}");
    let sleeper = told.lines().find_map(sleeper_in).expect("it says where somebody sleeps");
    assert!(!listens(&sleeper), "it leaves a process behind");
}

/// Ctrl-C while the process that the gateway has started lives.
#[tokio::test]
async fn the_demo_leaves_no_process_behind() {
    let mut command = demo();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut gateway, mut sleeper) = (None, None);
    while gateway.is_none() || sleeper.is_none() {
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        gateway = gateway.or_else(|| after(&line, "clients connect to"));
        sleeper = sleeper.or_else(|| sleeper_in(&line));
    }
    let (gateway, sleeper) = (gateway.unwrap(), sleeper.unwrap());
    // Whatever else it prints, it must not wait for us to read it.
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    assert!(!listens(&sleeper), "it slept from the start");
    let post = reqwest::Client::new().post(format!("{gateway}/v1/statement")).body("SELECT 1");
    let post = post.header("X-Trino-User", "tests").header("X-Trino-Source", "airflow");
    wait::until_async("the gateway answers", async || {
        post.try_clone().unwrap().send().await.is_ok()
    })
    .await;
    wait::until("it was woken", || listens(&sleeper)).await;
    interrupt(&child).await;
    assert!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
    assert!(!listens(&sleeper), "it leaves a process behind");
    reading.abort();
}

/// What Ctrl-C sends; only unsafe code could do it here.
async fn interrupt(child: &Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
}

/// Where the demo says that somebody sleeps.
fn sleeper_in(line: &str) -> Option<String> {
    after(line, "asleep: nothing listens at http://")
}

fn after(line: &str, words: &str) -> Option<String> {
    line.split_once(words).map(|(_, rest)| rest.trim().to_owned())
}

fn listens(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}

fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    // As in a bare container image: no authority's certificate anywhere.
    command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
    command.arg("demo").env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn told_by(command: &mut Command) -> Output {
    timeout(PATIENCE, command.output()).await.expect("it ends in time").expect("it runs")
}
