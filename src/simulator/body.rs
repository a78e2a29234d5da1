//! The body of an answer: pieces sent one by one, compressed on the way if asked, ended as the script says.
//!
//! A body never says its length unless it is empty: Trino sends everything chunked. Nothing is made before the
//! connection asks for it, so a client that does not read costs nothing.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http_body::{Frame, SizeHint};

use super::rows::Pieces;

/// What a client can be sent in: the encodings that the simulator knows (a real Trino has brotli too).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    /// Half of the next piece is sent, then the connection breaks: no last chunk.
    Abort,
    /// Half of the next piece is sent, then nothing.
    Stall,
}

/// A streamed body.
#[derive(Debug)]
pub(super) struct Body {
    before: VecDeque<Bytes>,
    rows: Option<Pieces>,
    after: VecDeque<Bytes>,
    encoder: Encoder,
    end: End,
    phase: Phase,
    /// Bytes already made, and how many there are in all if that is known.
    ready: VecDeque<Bytes>,
    length: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pieces,
    Broken,
    Over,
}

impl Body {
    /// No bytes at all, and a length that says so.
    pub(super) fn empty() -> Self {
        Self { phase: Phase::Over, length: Some(0), ..Self::of(Bytes::new()) }
    }

    /// One piece.
    pub(super) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::page(bytes.into(), None, Bytes::new())
    }

    /// The three parts of a page.
    pub(super) fn page(head: Bytes, rows: Option<Pieces>, tail: Bytes) -> Self {
        let parts = |bytes: Bytes| -> VecDeque<Bytes> {
            if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([bytes]) }
        };
        Self {
            before: parts(head),
            rows,
            after: parts(tail),
            encoder: Encoder::Identity,
            end: End::Clean,
            phase: Phase::Pieces,
            ready: VecDeque::new(),
            length: None,
        }
    }

    /// Many pieces.
    pub(super) fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self { before: pieces.into_iter().collect(), ..Self::of(Bytes::new()) }
    }

    /// The same body, compressed.
    pub(super) fn encoded(self, encoding: Encoding) -> Self {
        Self { encoder: Encoder::new(encoding), ..self }
    }

    /// The same body, breaking off in its data.
    pub(super) fn aborted(self) -> Self {
        Self { end: End::Abort, ..self }
    }

    /// The same body, falling silent in its data.
    pub(super) fn stalled(self) -> Self {
        Self { end: End::Stall, ..self }
    }

    /// The same body with some bytes behind it.
    pub(super) fn followed_by(mut self, bytes: &'static [u8]) -> Self {
        self.after.push_back(Bytes::from_static(bytes));
        self
    }

    /// The same body with its length, if it is shorter than `limit` and ends well.
    pub(super) fn measured(mut self, limit: usize) -> Self {
        let mut total = 0;
        while self.end == End::Clean && total < limit {
            match self.next_clean() {
                Ok(Some(bytes)) => {
                    total += bytes.len();
                    self.ready.push_back(bytes);
                }
                Ok(None) => {
                    self.length = Some(total as u64);
                    break;
                }
                Err(_) => break,
            }
        }
        self
    }

    /// The length, if it is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.before.pop_front() {
            return Some(piece);
        }
        if let Some(piece) = self.rows.as_mut().and_then(Pieces::next) {
            return Some(piece);
        }
        self.after.pop_front()
    }

    /// The next bytes of a body that ends well, compressed.
    fn next_clean(&mut self) -> io::Result<Option<Bytes>> {
        while let Some(piece) = self.next_piece() {
            let bytes = self.encoder.feed(piece)?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        self.phase = Phase::Over;
        let rest = self.encoder.finish()?;
        Ok((!rest.is_empty()).then_some(rest))
    }

    /// The head and half of the data that follows it, as far as a broken page comes.
    fn next_broken(&mut self) -> io::Result<Bytes> {
        self.phase = Phase::Broken;
        let mut sent = Vec::new();
        if let Some(head) = self.next_piece() {
            sent.extend_from_slice(&head);
        }
        let mut data = Vec::new();
        while let Some(piece) = self.next_piece().filter(|_| data.len() < BROKEN_DATA) {
            data.extend_from_slice(&piece);
        }
        data.truncate(data.len() / 2);
        sent.extend_from_slice(&data);
        self.encoder.feed_and_flush(Bytes::from(sent))
    }
}

/// Data gathered before a page breaks, in bytes; half of it is sent.
const BROKEN_DATA: usize = 64 * 1024;

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        let next = match (self.phase, self.end) {
            (Phase::Over, _) => Ok(None),
            (Phase::Pieces, End::Clean) => self.next_clean(),
            (Phase::Pieces, _) => self.next_broken().map(Some),
            // No waker is kept: only the end of the connection ends this.
            (Phase::Broken, End::Stall) => return Poll::Pending,
            (Phase::Broken, _) => Err(io::Error::other("the script breaks this page")),
        };
        Poll::Ready(next.transpose().map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.phase == Phase::Over && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

enum Encoder {
    Identity,
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        })
    }
}

impl Encoder {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Identity => Self::Identity,
            Encoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::fast())),
            Encoding::Zstd => zstd::stream::write::Encoder::new(Vec::new(), 1)
                .map_or(Self::Identity, |encoder| Self::Zstd(Box::new(encoder))),
        }
    }

    fn feed(&mut self, piece: Bytes) -> io::Result<Bytes> {
        match self {
            Self::Identity => Ok(piece),
            Self::Gzip(encoder) => {
                encoder.write_all(&piece)?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
            Self::Zstd(encoder) => {
                encoder.write_all(&piece)?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    fn feed_and_flush(&mut self, piece: Bytes) -> io::Result<Bytes> {
        let mut sent = self.feed(piece)?.to_vec();
        match self {
            Self::Identity => {}
            Self::Gzip(encoder) => {
                encoder.flush()?;
                sent.append(encoder.get_mut());
            }
            Self::Zstd(encoder) => {
                encoder.flush()?;
                sent.append(encoder.get_mut());
            }
        }
        Ok(sent.into())
    }

    fn finish(&mut self) -> io::Result<Bytes> {
        match std::mem::replace(self, Self::Identity) {
            Self::Identity => Ok(Bytes::new()),
            Self::Gzip(encoder) => encoder.finish().map(Bytes::from),
            Self::Zstd(encoder) => encoder.finish().map(Bytes::from),
        }
    }
}
