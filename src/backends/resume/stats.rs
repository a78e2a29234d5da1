//! Trino's own counts of queries and workers: `GET /ui/api/stats`, as its web UI asks for them.
//!
//! Asked plainly first, then with Basic, then with the cookie of a login: Trino 483 takes JSON at `/ui/auth/login`,
//! 435 a form at `/ui/login`. Over http nothing but a user's name is sent unless a password is configured, since
//! that is all that an insecure login wants. A Trino whose TLS ends at a proxy takes a password over http from who says
//! that TLS was there; one that believes no such word answers it with 406. The counts include queries that did not come
//! through us.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;

use crate::{config::model::Stats, trino::headers::X_FORWARDED_PROTO};

/// Some hundred bytes; whatever sends more is not Trino.
const MAX_BODY: usize = 64 * 1024;

/// The cookie of the web UI.
const COOKIE: &str = "Trino-UI-Token=";

/// What Trino says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Counts {
    /// Running, blocked and queued.
    pub(crate) queries: u64,
    /// Active workers.
    pub(crate) workers: u64,
}

/// Each count must be there: what is not told is not zero.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    running_queries: u64,
    blocked_queries: u64,
    queued_queries: u64,
    active_workers: u64,
}

/// Reads them, every step within its deadline; fails in words without secrets.
pub(crate) async fn read(
    http: &Client,
    base: &str,
    stats: Option<&Stats>,
    timeout: Duration,
) -> Result<Counts, String> {
    let mut asker = Asker { http, base, timeout, says_https: false };
    if let Asked::Counts(counts) = asker.counts(|asked| asked).await? {
        return Ok(counts);
    }
    let Some(stats) = stats else {
        return Err("Trino wants a login, and `stats` names no user".to_owned());
    };
    let password = password(stats).await?;
    let basic = |asked: RequestBuilder| asked.basic_auth(&stats.user, password.as_deref());
    if let Asked::Counts(counts) = asker.counts(basic).await? {
        return Ok(counts);
    }
    let password = password.unwrap_or_default();
    let cookie = match asker.login(&stats.user, &password).await? {
        Login::Cookie(cookie) => cookie,
        Login::Refused(StatusCode::FORBIDDEN) if base.starts_with("http://") => {
            asker.says_https = true;
            asker.login(&stats.user, &password).await?.cookie()?
        }
        refused @ Login::Refused(_) => refused.cookie()?,
    };
    let with_cookie = |asked: RequestBuilder| asked.header(header::COOKIE, &cookie);
    match asker.counts(with_cookie).await? {
        Asked::Counts(counts) => Ok(counts),
        Asked::Refused(status) => Err(format!("Trino answered {status} after the login")),
    }
}

/// The file is read anew each time, so that a rotated password is taken.
async fn password(stats: &Stats) -> Result<Option<String>, String> {
    let Some(path) = &stats.password_file else { return Ok(None) };
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| format!("cannot read `stats.passwordFile`: {error}"))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// What came of one way to ask.
enum Asked {
    Counts(Counts),
    /// It must be asked in another way.
    Refused(StatusCode),
}

/// What came of a login.
enum Login {
    Cookie(String),
    Refused(StatusCode),
}

impl Login {
    fn cookie(self) -> Result<String, String> {
        match self {
            Self::Cookie(cookie) => Ok(cookie),
            Self::Refused(status) => {
                Err(format!("the login at `/ui/auth/login` was answered with {status}"))
            }
        }
    }
}

struct Asker<'a> {
    http: &'a Client,
    base: &'a str,
    timeout: Duration,
    /// Whether it speaks as a proxy that ends TLS.
    says_https: bool,
}

impl Asker<'_> {
    async fn counts(
        &self,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Asked, String> {
        let asked = dress(self.http.get(format!("{}/ui/api/stats", self.base)));
        let mut answer = self.send(asked).await?;
        match answer.status() {
            StatusCode::OK => counts(&body(&mut answer, self.timeout).await?).map(Asked::Counts),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::SEE_OTHER) => {
                Ok(Asked::Refused(status))
            }
            status => Err(format!("`/ui/api/stats` answered {status}")),
        }
    }

    /// The cookie of a login.
    async fn login(&self, user: &str, password: &str) -> Result<Login, String> {
        let login = serde_json::json!({ "username": user, "password": password });
        let json = self.http.post(format!("{}/ui/auth/login", self.base)).json(&login);
        let answer = self.send(json).await?;
        if let Some(cookie) = cookie(answer.headers()) {
            return Ok(Login::Cookie(cookie));
        }
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::SEE_OTHER => {
                self.form_login(user, password).await.map(Login::Cookie)
            }
            status => Ok(Login::Refused(status)),
        }
    }

    async fn form_login(&self, user: &str, password: &str) -> Result<String, String> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("username", user)
            .append_pair("password", password)
            .finish();
        let asked = self
            .http
            .post(format!("{}/ui/login", self.base))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let answer = self.send(asked).await?;
        cookie(answer.headers()).ok_or_else(|| {
            format!("the login at `/ui/login` was answered with {}", answer.status())
        })
    }

    async fn send(&self, mut asked: RequestBuilder) -> Result<Response, String> {
        if self.says_https {
            asked = asked.header(X_FORWARDED_PROTO, "https");
        }
        let sent = tokio::time::timeout(self.timeout, asked.send()).await;
        let answer = sent.map_err(|_| "Trino did not answer in time".to_owned())?;
        answer.map_err(|error| format!("cannot ask Trino: {}", error.without_url()))
    }
}

async fn body(answer: &mut Response, timeout: Duration) -> Result<Vec<u8>, String> {
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| error.without_url())? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                break;
            }
        }
        Ok::<_, reqwest::Error>(body)
    };
    let read = tokio::time::timeout(timeout, read).await;
    read.map_err(|_| "Trino did not answer in time".to_owned())?.map_err(|e| e.to_string())
}

fn counts(body: &[u8]) -> Result<Counts, String> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|_| "`/ui/api/stats` answered something else than counts".to_owned())?;
    let queries = body
        .running_queries
        .saturating_add(body.blocked_queries)
        .saturating_add(body.queued_queries);
    Ok(Counts { queries, workers: body.active_workers })
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let set = headers.get_all(header::SET_COOKIE).iter();
    set.filter_map(|value| value.to_str().ok())
        .filter_map(|text| text.split(';').next())
        .find(|pair| pair.starts_with(COOKIE) && pair.len() > COOKIE.len())
        .map(str::to_owned)
}
