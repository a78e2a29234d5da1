//! `/debug/pprof/*`: CPU profiles for who enabled them, and words for what Rust does not have.

use std::time::Duration;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderName, StatusCode, header},
};
use serde::Deserialize;

use crate::{
    admin::answer::Refused,
    profiling::{NotTaken, Profile, Profiler},
};

/// What `go tool pprof` expects where nothing is said.
const USUAL: u64 = 30;

/// A profile slows down what it watches a little, and its asker may have been forgotten.
const LONGEST: u64 = 60;

/// For how long to watch.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    seconds: Option<u64>,
}

type Asked = Result<Query<Wanted>, QueryRejection>;
type Headers = [(HeaderName, &'static str); 2];

/// A CPU profile for `go tool pprof`.
pub(super) async fn profile(
    State(profiler): State<Profiler>,
    asked: Asked,
) -> Result<(Headers, Vec<u8>), Refused> {
    let profile = taken(&profiler, asked).await?;
    let bytes = profile.pprof().map_err(|error| not_taken(&NotTaken::Failed(error.to_string())))?;
    Ok((headers("application/octet-stream", "attachment; filename=\"profile.pb.gz\""), bytes))
}

/// The same as a picture.
pub(super) async fn flame_graph(
    State(profiler): State<Profiler>,
    asked: Asked,
) -> Result<(Headers, String), Refused> {
    let profile = taken(&profiler, asked).await?;
    Ok((headers("image/svg+xml", "inline"), profile.flame_graph()))
}

/// Memory by who took it.
pub(super) async fn heap() -> Refused {
    let words = "no heap profile: this program was built without an allocator that keeps one";
    Refused::new(StatusCode::NOT_IMPLEMENTED, words)
}

/// Tasks and where they wait.
pub(super) async fn tasks() -> Refused {
    let words = "no task dump: this program was built without tokio's, which is unstable";
    Refused::new(StatusCode::NOT_IMPLEMENTED, words)
}

/// Locks that are waited for.
pub(super) async fn mutex() -> Refused {
    let words =
        "no mutex profile: Rust has none; a CPU profile shows who spins, /metrics who waits";
    Refused::new(StatusCode::NOT_IMPLEMENTED, words)
}

async fn taken(profiler: &Profiler, asked: Asked) -> Result<Profile, Refused> {
    let refused = |words: String| Refused::new(StatusCode::BAD_REQUEST, words);
    let Query(wanted) = asked.map_err(|error| refused(error.body_text()))?;
    let seconds = wanted.seconds.unwrap_or(USUAL);
    if !(1..=LONGEST).contains(&seconds) {
        return Err(refused(format!("seconds is 1 to {LONGEST}, not {seconds}")));
    }
    let taken = profiler.take(Duration::from_secs(seconds)).await;
    taken.map_err(|error| not_taken(&error))
}

fn not_taken(error: &NotTaken) -> Refused {
    let status = match error {
        NotTaken::Busy => StatusCode::CONFLICT,
        NotTaken::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refused::new(status, error.to_string())
}

fn headers(kind: &'static str, disposition: &'static str) -> Headers {
    [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)]
}
