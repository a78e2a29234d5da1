//! The last touch of an answer: compression, lengths, and the manners in which the two versions differ.
//!
//! | | 483 | 435 |
//! | --- | --- | --- |
//! | small bodies | chunked | with a length |
//! | end of JSON | `}` | `}` and a new line |
//! | errors | `Error 404 Not Found: Query not found` | `Query not found`, or Jetty's own page |
//! | encodings | gzip, zstd (and brotli, not played) | gzip |
//! | HEAD | no length of the body, nothing read on `executing` | the length, and the GET's own effects |

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::answer::{self, Answer, Words};
use super::body::{Body, Encoding};
use super::options::Version;

/// Jetty's output buffer: what fits into it has a length on 435, in bytes.
const BUFFER: usize = 32 * 1024;

/// Gives an answer the manners of a version.
pub(super) fn dress(
    answer: Answer,
    version: Version,
    method: &Method,
    path: &str,
    request: &HeaderMap,
) -> Answer {
    match version {
        Version::V483 => {
            let mut answer = compressed(answer, version, request);
            if matches!(*method, Method::GET | Method::POST) {
                answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
            }
            headless(answer, method, None)
        }
        Version::V435 => {
            let answer = compressed(old_manners(answer, method, path), version, request);
            let answer = answer.map(|body| body.measured(BUFFER));
            let length = answer.body().length();
            headless(answer, method, length)
        }
    }
}

/// Without its body, if it answers a HEAD.
fn headless(answer: Answer, method: &Method, length: Option<u64>) -> Answer {
    if method != Method::HEAD || http_body::Body::is_end_stream(answer.body()) {
        return answer;
    }
    let mut answer = answer.map(|_| Body::empty());
    answer::insert(&mut answer, CONTENT_LENGTH, &length.unwrap_or_default().to_string());
    answer
}

/// Compresses JSON and files, never errors.
fn compressed(answer: Answer, version: Version, request: &HeaderMap) -> Answer {
    let (mut head, body) = answer.into_parts();
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_text = kind.is_some_and(|kind| kind.starts_with("text/plain"));
    let is_bare = http_body::Body::is_end_stream(&body);
    if is_text || is_bare || head.headers.contains_key(CONTENT_ENCODING) {
        return Response::from_parts(head, body);
    }
    head.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let encoding = wanted(request, version);
    let name = match encoding {
        Encoding::Identity => return Response::from_parts(head, body),
        Encoding::Gzip => "gzip",
        Encoding::Zstd => "zstd",
    };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    Response::from_parts(head, body.encoded(encoding))
}

/// The best encoding of Accept-Encoding that is played; of equal ones the first. zstd came with 477.
fn wanted(request: &HeaderMap, version: Version) -> Encoding {
    let lines = request.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut best = (Encoding::Identity, 0.0);
    for item in lines.flat_map(|line| line.split(',')) {
        let (name, quality) = item.split_once(';').unwrap_or((item, ""));
        let quality = quality.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        let encoding = match name.trim() {
            "gzip" => Encoding::Gzip,
            "zstd" if version == Version::V483 => Encoding::Zstd,
            _ => continue,
        };
        if let Ok(quality) = quality
            && quality > best.1
        {
            best = (encoding, quality);
        }
    }
    best.0
}

fn old_manners(answer: Answer, method: &Method, path: &str) -> Answer {
    if let Some(Words(words)) = answer.extensions().get::<Words>().cloned() {
        return old_error(answer.status(), &words, method, path);
    }
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json && !http_body::Body::is_end_stream(answer.body()) {
        return answer.map(|body| body.followed_by(b"\n"));
    }
    answer
}

/// An error that a resource has words for is these words; all others are Jetty's page, or nothing for PUT and DELETE.
fn old_error(status: StatusCode, words: &str, method: &Method, path: &str) -> Answer {
    if !words.starts_with("HTTP ") && status != StatusCode::GONE {
        let mut answer = answer::text(status, words);
        answer::insert(&mut answer, CONTENT_TYPE, "text/plain");
        return answer;
    }
    if matches!(*method, Method::PUT | Method::DELETE) {
        return answer::empty(status);
    }
    let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error {code} {reason}</title>\n</head>\n<body><h2>HTTP ERROR {code} {reason}</h2>\n<table>\n<tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>STATUS:</th><td>{code}</td></tr>\n<tr><th>MESSAGE:</th><td>{reason}</td></tr>\n</table>\n\n</body>\n</html>\n"
    );
    let mut answer = answer::text(status, page);
    answer::insert(&mut answer, CONTENT_TYPE, "text/html;charset=iso-8859-1");
    answer::insert(&mut answer, CACHE_CONTROL, "must-revalidate,no-cache,no-store");
    answer
}
