//! Programs: what they are told, how they end, and that nothing of them outlives a deadline.

use std::{future::Future, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{Action, CallError, TRACE, call, driver, nowhere, permanent, transient};
use crate::backends::resume::driver::How;

fn command(script: &str, argument: &Path) -> Value {
    let words = json!(["/bin/sh", "-c", script, "sh", argument]);
    json!({"callTimeout": "20s", "command": {"resume": words, "suspend": ["/bin/false"]}})
}

async fn run(resume: Value) -> Result<How, CallError> {
    driver(nowhere(), resume).call(call(Action::Resume)).await.map(|accepted| accepted.how)
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(waited).await;
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.unwrap()
}

#[tokio::test]
async fn a_program_is_told_by_its_environment_and_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file; with $signs");
    let script = r#"echo "$SLUICE_ACTION $SLUICE_GROUP $SLUICE_BACKEND $SLUICE_REASON $SLUICE_WAKE_ID $TRACEPARENT" >"$1""#;
    assert_eq!(run(command(script, &file)).await.unwrap(), How::Triggered);
    let said = std::fs::read_to_string(&file).unwrap();
    assert_eq!(said, format!("resume etl trino-a no_running_backend wake-1 {TRACE}\n"));
}

#[tokio::test]
async fn a_failure_is_told_with_the_end_of_what_it_said() {
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; echo no quota left >&2; exit 3";
    let error = run(command(script, Path::new("/"))).await.unwrap_err();
    let why = transient(&error);
    assert!(why.starts_with("`/bin/sh` ended with exit status: 3: "), "{why}");
    assert!(why.ends_with("line 1999 no quota left") && why.len() < 400, "{why}");
    let error = driver(nowhere(), command("", Path::new("/"))).call(call(Action::Suspend)).await;
    assert_eq!(transient(&error.unwrap_err()), "`/bin/false` ended with exit status: 1");
    let error = run(json!({"command": {"resume": ["/nowhere/to/be-found"]}})).await.unwrap_err();
    assert!(permanent(&error).contains("cannot be started"), "{error}");
    let error = driver(nowhere(), json!({"command": {"resume": ["/bin/true"]}}));
    let error = error.call(call(Action::Suspend)).await.unwrap_err();
    assert!(permanent(&error).contains("no `suspend`"), "{error}");
}

/// Whether a process lives; one that was killed but not yet waited for does not.
fn lives(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

fn process_in(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.ends_with('\n').then(|| text.trim().to_owned())
}

#[tokio::test]
async fn at_its_deadline_a_program_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, child) = (folder.path().join("parent"), folder.path().join("child"));
    let script = r#"sh -c 'echo $$ >"$1"; exec sleep 600' sh "$1" & echo $$ >"$(dirname "$1")/parent"; wait"#;
    let driver = driver(nowhere(), command(script, &child));
    let mut calling = driver.call(call(Action::Resume));
    let begun = async {
        eventually(|| process_in(&parent).is_some() && process_in(&child).is_some()).await;
    };
    tokio::select! {
        answer = &mut calling => panic!("{answer:?}"),
        () = begun => {}
    }
    let processes = [process_in(&parent).unwrap(), process_in(&child).unwrap()];
    assert!(processes.iter().all(|process| lives(process)));
    // The deadline drops the call.
    drop(calling);
    eventually(|| !processes.iter().any(|process| lives(process))).await;
}

#[tokio::test]
async fn the_deadline_is_call_timeout() {
    let mut resume = command("exec sleep 600", Path::new("/"));
    resume["callTimeout"] = json!("50ms");
    assert_eq!(in_time(run(resume)).await.unwrap_err(), CallError::Timeout);
}

#[tokio::test]
async fn what_a_program_leaves_running_is_neither_killed_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    // It keeps standard error, and goes on writing to it.
    let script = r#"sh -c 'echo $$ >"$1"; i=0; while [ $i -lt 20000 ]; do echo noise >&2; i=$((i+1)); done; echo done >"$1.done"; exec sleep 600' sh "$1" &"#;
    assert_eq!(in_time(run(command(script, &file))).await.unwrap(), How::Triggered);
    let finished = folder.path().join("child.done");
    eventually(|| process_in(&finished).is_some()).await;
    let process = process_in(&file).unwrap();
    assert!(lives(&process));
    std::process::Command::new("/bin/sh")
        .args(["-c", &format!("kill -9 {process}")])
        .status()
        .unwrap();
}
