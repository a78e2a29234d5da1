//! The other end of the admin API: what `sluice drain`, `activate`, `deactivate`, `resume`, `suspend` and
//! `healthcheck` do.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;
use url::Url;

use crate::backends::outgoing;

/// A command takes milliseconds; a reload may read a slow disk.
const DEADLINE: Duration = Duration::from_secs(30);
/// A health check that needs longer is one that failed.
const HEALTH_DEADLINE: Duration = Duration::from_secs(5);

/// What an operator may say of a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Back to work.
    Activate,
    /// No new statements from now on.
    Deactivate,
    /// No new statements; inactive when the last query has ended.
    Drain,
}

impl Command {
    const fn path(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Drain => "drain",
        }
    }
}

/// What an operator may say of a routing group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Steer {
    /// Wake it.
    Resume,
    /// Put it to sleep until it is resumed.
    Suspend,
}

impl Steer {
    const fn path(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Suspend => "suspend",
        }
    }
}

/// Why a command failed, in words.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No URL that can be asked.
    #[error("`{0}` is no URL such as http://127.0.0.1:8081")]
    Url(String),
    /// Nobody answered.
    #[error("cannot reach {url}: {cause}")]
    Unreachable {
        /// Without credentials.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// An answer that is no success.
    #[error("{url} answered {status}: {words}")]
    Refused {
        /// Without credentials.
        url: String,
        /// The status code.
        status: u16,
        /// What it said.
        words: String,
    },
}

/// Says something of a backend, through the admin API at `base`.
pub async fn mark(
    base: &str,
    token: Option<&str>,
    backend: &str,
    command: Command,
) -> Result<String, ClientError> {
    let page = post(base, token, ["admin", "backends", backend, command.path()]).await?;
    let mark = page.get("mark").and_then(Value::as_str).unwrap_or("marked");
    Ok(format!("backend {backend} is {mark}"))
}

/// Wakes a group or puts it to sleep, through the admin API at `base`.
pub async fn steer(
    base: &str,
    token: Option<&str>,
    group: &str,
    steer: Steer,
) -> Result<String, ClientError> {
    let page = post(base, token, ["admin", "groups", group, steer.path()]).await?;
    let backends = page.get("backends").and_then(Value::as_array);
    let states: Vec<String> = backends.into_iter().flatten().filter_map(state).collect();
    Ok(format!("routing group {group}: {}", states.join(", ")))
}

fn state(backend: &Value) -> Option<String> {
    let name = backend.get("name")?.as_str()?;
    Some(format!("{name} is {}", backend.get("wake")?.as_str()?))
}

async fn post(base: &str, token: Option<&str>, path: [&str; 4]) -> Result<Value, ClientError> {
    let wrong = || ClientError::Url(base.to_owned());
    let mut url: Url = base.parse().map_err(|_| wrong())?;
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(path);
    let client = client(DEADLINE)?;
    let mut request = client.post(url.clone());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = told(&url, request.send().await).await?;
    Ok(serde_json::from_str(&answer).unwrap_or_default())
}

/// Asks a health page; any 2xx is well.
pub async fn healthcheck(url: &str) -> Result<String, ClientError> {
    let url: Url = url.parse().map_err(|_| ClientError::Url(url.to_owned()))?;
    let client = client(HEALTH_DEADLINE)?;
    told(&url, client.get(url.clone()).send().await).await
}

/// Prints what became of a command: success on standard output with 0, else on standard error with 1.
pub fn tell(outcome: Result<String, ClientError>) -> ExitCode {
    // When nobody reads, the exit code still tells.
    match outcome {
        Ok(words) => {
            let _ = writeln!(io::stdout(), "{words}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// No proxy and no redirect: a token goes where the operator said and nowhere else.
fn client(deadline: Duration) -> Result<Client, ClientError> {
    let builder = || Client::builder().no_proxy().redirect(Policy::none()).timeout(deadline);
    outgoing::client(builder).map_err(|error| ClientError::Unreachable {
        url: "anything".to_owned(),
        cause: innermost(&error),
    })
}

async fn told(url: &Url, sent: reqwest::Result<Response>) -> Result<String, ClientError> {
    let url = shown(url);
    let unreachable = |error: reqwest::Error| ClientError::Unreachable {
        url: url.clone(),
        cause: innermost(&error),
    };
    let response = sent.map_err(unreachable)?;
    let status = response.status();
    let body = response.text().await.map_err(unreachable)?;
    if status.is_success() {
        return Ok(body);
    }
    Err(ClientError::Refused { url: url.clone(), status: status.as_u16(), words: words(&body) })
}

/// The sentence in an error page, else the beginning of whatever came.
fn words(body: &str) -> String {
    let page: Option<Value> = serde_json::from_str(body).ok();
    let sentence = page.as_ref().and_then(|page| page.get("error")).and_then(Value::as_str);
    sentence.unwrap_or(body).chars().take(500).collect()
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
