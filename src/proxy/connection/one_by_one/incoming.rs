//! The body of a request on its way from the connection to whoever reads it.

use std::mem;

use axum::body::Body;
use bytes::BytesMut;

use super::{
    brought::{self, Bringing, Cut},
    heard::Length,
};
use crate::proxy::chunks::{Next, NoChunk};

/// The body of a request that is still to come.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) bringing: Bringing,
    length: Length,
    /// The client sends it when it is told to go on.
    pub(super) waits: bool,
    /// It has come whole.
    pub(super) over: bool,
    /// Its end will never come.
    pub(super) cut: bool,
}

impl Incoming {
    /// A body of that length, as it comes and as it is read; `None` where there is none.
    pub(super) fn of(length: Length, waits: bool) -> (Option<Self>, Body) {
        if matches!(length, Length::Bytes(0)) {
            return (None, Body::empty());
        }
        let (bringing, body) = brought::body(&length);
        (Some(Self { bringing, length, waits, over: false, cut: false }), body)
    }

    /// Hands on what has come; whether there was anything to be told.
    pub(super) fn bring(&mut self, came: &mut BytesMut) -> bool {
        match self.next(came) {
            Ok(Next::Piece(piece)) => {
                self.bringing.give(Ok(piece));
                // So that nobody must ask again.
                self.settle(came);
            }
            Ok(Next::Over) => self.settle(came),
            Ok(Next::More) => return false,
            Err(NoChunk(why)) => self.end_early(Cut::NoChunk(why)),
        }
        true
    }

    fn next(&mut self, came: &mut BytesMut) -> Result<Next, NoChunk> {
        match &mut self.length {
            Length::Chunks(chunks) => chunks.next(came),
            Length::Bytes(0) => Ok(Next::Over),
            Length::Bytes(_) if came.is_empty() => Ok(Next::More),
            Length::Bytes(left) => {
                let piece = came.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece as u64;
                Ok(Next::Piece(came.split_to(piece).freeze()))
            }
        }
    }

    /// Sees whether the end has come.
    fn settle(&mut self, came: &mut BytesMut) {
        let is_over = match &mut self.length {
            Length::Bytes(left) => *left == 0,
            Length::Chunks(chunks) => chunks.is_over(came),
        };
        if is_over && !mem::replace(&mut self.over, true) {
            self.bringing.end();
        }
    }

    /// No more will come.
    pub(super) fn end_early(&mut self, why: Cut) {
        self.cut = true;
        self.bringing.give(Err(why));
    }

    /// Whether all of it is here, read or not; then the next request begins behind it. Now that it is answered, the client
    /// is not told to go on.
    pub(super) fn has_come(&mut self, came: &mut BytesMut) -> bool {
        self.waits = false;
        while self.bringing.is_unwanted() && !self.over {
            match self.next(came) {
                Ok(Next::Piece(_) | Next::Over) => self.settle(came),
                Ok(Next::More) | Err(_) => break,
            }
        }
        self.over && !self.cut
    }
}
