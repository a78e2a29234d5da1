//! An answer as it came over the wire, and why none came.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// An answer whose body came to a clean end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The bytes as sent, compressed or not.
    pub(crate) raw: Bytes,
}

/// Why the strict client gave up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("cannot connect to {0}: {1}")]
    Connect(std::net::SocketAddr, std::io::Error),
    /// The connection ended in the midst of an exchange, or its framing was wrong.
    #[error("the exchange broke: {0:?}")]
    Transport(#[from] hyper::Error),
    #[error("no answer to {0} within the deadline")]
    Late(String),
    #[error("status {} with {:?}", .0.status, .0.text())]
    Status(Box<Answer>),
    /// The protocol was not kept.
    #[error("rule broken: {0}")]
    Rule(String),
}

impl Broken {
    /// The status, if it was one that broke the query.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Status(answer) => Some(answer.status.as_u16()),
            _ => None,
        }
    }

    /// Whether the connection broke, as opposed to an answer that was wrong.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Connect(..))
    }
}

impl Answer {
    /// The first value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The body, decompressed as its Content-Encoding says.
    pub(crate) fn body(&self) -> Result<Bytes, Broken> {
        let unpacked = match self.header("content-encoding") {
            "" | "identity" => return Ok(self.raw.clone()),
            "gzip" => {
                let mut text = Vec::new();
                flate2::read::MultiGzDecoder::new(self.raw.as_ref())
                    .read_to_end(&mut text)
                    .map(|_| text)
            }
            "zstd" => zstd::decode_all(self.raw.as_ref()),
            other => return Err(Broken::Rule(format!("unknown Content-Encoding {other}"))),
        };
        unpacked.map(Bytes::from).map_err(|error| Broken::Rule(format!("cannot unpack: {error}")))
    }

    /// The body as text, whatever it is.
    pub(crate) fn text(&self) -> String {
        self.body().map_or_else(
            |error| error.to_string(),
            |body| String::from_utf8_lossy(&body).into_owned(),
        )
    }

    pub(crate) fn json(&self) -> Result<serde_json::Value, Broken> {
        serde_json::from_slice(&self.body()?)
            .map_err(|error| Broken::Rule(format!("no JSON: {error}: {:?}", self.text())))
    }
}
