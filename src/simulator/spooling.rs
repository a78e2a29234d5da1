//! The spooling protocol: results as segments that the client downloads and acknowledges.
//!
//! Like `LocalSpoolingManager` in mode COORDINATOR_PROXY: both URIs lead to the coordinator and carry nothing that
//! tells which query or which coordinator a segment is of.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::answer::{self, Answer};
use super::base::Base;
use super::body::Body;
use super::coordinator::locked;
use super::rows::Rows;
use super::slug;

/// Segments that wait to be downloaded.
#[derive(Debug, Default)]
pub(super) struct Segments(Mutex<HashMap<String, Bytes>>);

/// The bytes of an identifier, so that it has about 200 characters as a real one, encrypted, has.
const SECRET: usize = 150;
/// What a client may ask for, in Trino's words; lz4 is not played.
const ENCODINGS: [&str; 2] = ["json+zstd", "json"];
/// Below this a segment is not compressed (`protocol.spooling.encoding.compression.threshold`), in bytes.
const COMPRESSED_FROM: usize = 8 * 1024;

/// The first encoding of `X-Trino-Query-Data-Encoding` that is played.
pub(super) fn chosen(headers: &HeaderMap) -> Option<&'static str> {
    let asked = headers.get("x-trino-query-data-encoding")?.to_str().ok()?;
    asked.split(',').find_map(|name| ENCODINGS.into_iter().find(|known| *known == name.trim()))
}

/// The answer's header that names the encoding.
pub(super) fn header(encoding: &'static str) -> (HeaderName, HeaderValue) {
    (HeaderName::from_static("x-trino-query-data-encoding"), HeaderValue::from_static(encoding))
}

impl Segments {
    /// Stores the rows of one page and gives the `data` object that stands for them.
    pub(super) fn spool(
        &self,
        rows: &Rows,
        encoding: &str,
        total: u64,
        base: &Base,
        inline: bool,
    ) -> Rows {
        let plain: Vec<u8> = rows.pieces().flat_map(|piece| piece.to_vec()).collect();
        let is_compressed = encoding == "json+zstd" && plain.len() >= COMPRESSED_FROM;
        let stored = if is_compressed {
            // In bulk, so that the frame says its size: the Python client relies on that.
            zstd::bulk::compress(&plain, 1).unwrap_or_default()
        } else {
            plain.clone()
        };
        let (count, offset) = (rows.count(), total.saturating_sub(rows.count()));
        let mut metadata = format!(r#"{{"segmentSize":{}"#, stored.len());
        if is_compressed {
            let _ = write!(metadata, r#","uncompressedSize":{}"#, plain.len());
        }
        let _ = write!(metadata, r#","rowsCount":{count}"#);
        let segment = if inline {
            let data = STANDARD.encode(&stored);
            format!(
                r#"{{"type":"inline","data":"{data}","metadata":{metadata},"rowOffset":{offset}}}}}"#
            )
        } else {
            let (url, id) = (base.url(), self.store(stored.into()));
            let expires = expiry();
            format!(
                r#"{{"type":"spooled","uri":"{url}/v1/spooled/download/{id}","ackUri":"{url}/v1/spooled/ack/{id}","metadata":{metadata},"expiresAt":"{expires}","rowOffset":{offset}}}}}"#
            )
        };
        Rows::Segments(format!(r#"{{"encoding":"{encoding}","segments":[{segment}]}}"#).into())
    }

    fn store(&self, content: Bytes) -> String {
        let secret: Vec<u8> = (0..5).flat_map(|_| slug::random()).take(SECRET).collect();
        let id = URL_SAFE_NO_PAD.encode(secret);
        locked(&self.0).insert(id.clone(), content);
        id
    }

    /// How many segments nobody has acknowledged.
    pub(super) fn len(&self) -> usize {
        locked(&self.0).len()
    }

    /// `GET /v1/spooled/download/{id}`: repeatable until it is acknowledged.
    pub(super) fn download(&self, id: &str) -> Answer {
        let Some(content) = locked(&self.0).get(id).cloned() else { return lost(id) };
        let mut answer = answer::json(Body::of(content));
        answer::insert(&mut answer, http::header::CONTENT_TYPE, "application/octet-stream");
        answer
    }

    /// `GET /v1/spooled/ack/{id}`.
    pub(super) fn acknowledge(&self, id: &str) -> Answer {
        match locked(&self.0).remove(id) {
            Some(_) => answer::empty(StatusCode::OK),
            None => lost(id),
        }
    }
}

/// What is said of an identifier that is none, and of one whose segment is gone.
fn lost(id: &str) -> Answer {
    let is_identifier = URL_SAFE_NO_PAD.decode(id).is_ok_and(|secret| secret.len() == SECRET);
    let words = if is_identifier {
        "java.io.IOException: Segment not found or expired\n\tat io.trino.spool.SimulatedSpoolingManager.openInputStream(SimulatedSpoolingManager.java:1)\n"
    } else {
        "java.lang.RuntimeException: Could not decode segment identifier from URI\n\tat io.trino.server.protocol.spooling.SpoolingManagerBridge.fromUri(SpoolingManagerBridge.java:160)\n"
    };
    answer::text(StatusCode::INTERNAL_SERVER_ERROR, words)
}

/// An hour from now, in Java's spelling of a local time.
fn expiry() -> String {
    let hour = jiff::SignedDuration::from_hours(1);
    let then = jiff::Timestamp::now().checked_add(hour).unwrap_or(jiff::Timestamp::MAX);
    then.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}
