//! A body in chunks (RFC 9112 section 7.1), a client's or a coordinator's: sizes are read, data is handed on as it came,
//! trailers are dropped.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// A line with a size, its extensions included; nobody uses those.
const LONGEST_SIZE: usize = 1024;

/// All trailers together; no Trino sends any.
const MOST_TRAILERS: usize = 16 * 1024;

/// What came is no chunk, for this reason.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub(crate) struct NoChunk(pub(crate) &'static str);

/// Where in the chunks the next byte is.
#[derive(Debug, Default)]
pub(crate) struct Chunks(At);

#[derive(Debug, Default)]
enum At {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    /// So many bytes of trailers were dropped.
    Trailers(usize),
    Over,
    /// What came is no chunk.
    Lost(&'static str),
}

/// What is next.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Next {
    Piece(Bytes),
    /// More must come first.
    More,
    Over,
}

impl Chunks {
    /// Takes the next piece of data out of what has come.
    pub(crate) fn next(&mut self, came: &mut BytesMut) -> Result<Next, NoChunk> {
        self.pass(came)?;
        match self.0 {
            At::Data(left) if !came.is_empty() => {
                let piece = came.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - piece as u64;
                self.0 = if left == 0 { At::DataEnd } else { At::Data(left) };
                Ok(Next::Piece(came.split_to(piece).freeze()))
            }
            At::Over => Ok(Next::Over),
            _ => Ok(Next::More),
        }
    }

    /// So many bytes of data come next, if nothing stands before them.
    pub(crate) fn ahead(&self) -> u64 {
        if let At::Data(left) = self.0 { left } else { 0 }
    }

    /// So many of them were taken, unseen.
    pub(crate) fn passed(&mut self, count: u64) {
        if let At::Data(left) = self.0 {
            let left = left.saturating_sub(count);
            self.0 = if left == 0 { At::DataEnd } else { At::Data(left) };
        }
    }

    /// Whether something that is no data has yet to come.
    pub(crate) fn wants_more(&mut self, came: &mut BytesMut) -> Result<bool, NoChunk> {
        self.pass(came)?;
        Ok(!matches!(self.0, At::Data(_) | At::Over))
    }

    /// Whether the end has come. What is no chunk shows when the next piece is asked for.
    pub(crate) fn is_over(&mut self, came: &mut BytesMut) -> bool {
        self.pass(came).is_ok() && matches!(self.0, At::Over)
    }

    /// Passes over what stands between data.
    fn pass(&mut self, came: &mut BytesMut) -> Result<(), NoChunk> {
        while let Some(next) = self.0.after(came) {
            self.0 = next;
        }
        match self.0 {
            At::Lost(why) => Err(NoChunk(why)),
            _ => Ok(()),
        }
    }
}

impl At {
    /// What follows, if all of what stands here has come and none of it is data.
    fn after(&self, came: &mut BytesMut) -> Option<Self> {
        let longest = match self {
            Self::Size => LONGEST_SIZE,
            Self::DataEnd => 0,
            Self::Trailers(dropped) => MOST_TRAILERS.saturating_sub(*dropped),
            Self::Data(_) | Self::Over | Self::Lost(_) => return None,
        };
        let line = match line(came, longest) {
            Ok(line) => line?,
            Err(why) => return Some(Self::Lost(why)),
        };
        Some(match self {
            Self::Size => match size(&line) {
                None => Self::Lost("a chunk's size is none"),
                Some(0) => Self::Trailers(0),
                Some(size) => Self::Data(size),
            },
            Self::Trailers(_) if line.is_empty() => Self::Over,
            Self::Trailers(dropped) => Self::Trailers(dropped + line.len()),
            _ => Self::Size,
        })
    }
}

/// A line of at most so many bytes before its end, which is taken out too.
fn line(came: &mut BytesMut, longest: usize) -> Result<Option<BytesMut>, &'static str> {
    match memchr::memchr(b'\n', came) {
        Some(end) if end <= longest + 1 => {
            let mut line = came.split_to(end + 1);
            if !line.ends_with(b"\r\n") {
                return Err("a chunk's line has no end");
            }
            line.truncate(end - 1);
            Ok(Some(line))
        }
        None if came.len() <= longest + 1 => Ok(None),
        _ => Err("a chunk's line is too long"),
    }
}

fn size(line: &[u8]) -> Option<u64> {
    // Another hop might take a control byte for the line's end.
    if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return None;
    }
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii_end();
    let digits = std::str::from_utf8(digits).ok()?;
    // `+1` is a number to Rust.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(digits, 16).ok())?
}
