//! Answers in JSON, and refusals in words: `{"error": "…"}`.

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

/// A refusal: a status and a sentence.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) words: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.words }))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"sluice admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Either the page or a refusal.
pub(super) type Answer<T> = Result<Json<T>, Refused>;

/// 200 with a page.
pub(super) fn page<T: Serialize>(page: T) -> Answer<T> {
    Ok(Json(page))
}

/// No such path on this listener.
pub(super) async fn no_such_path(method: Method, uri: Uri) -> Refused {
    let words = format!("nothing at {method} {} here", uri.path());
    Refused::new(StatusCode::NOT_FOUND, words)
}

/// The path exists, but not for this method (`Allow` says for which).
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let words = format!("{} does not answer {method}", uri.path());
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, words)
}
