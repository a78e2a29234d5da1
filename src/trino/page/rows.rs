//! How many rows a page carries: the elements of `data`, or what its spooled segments say they have (`rowsCount`).
//!
//! Unlike the head's reader this one walks whole pages, so it is used only where rows are wanted. It holds a few
//! numbers whatever the page is, inflates at most `MOST_INFLATED` bytes, and says so when it cannot read one.

use super::{Coding, MOST_INFLATED, ROOM, SLICE, inflate::Inflate};
use crate::trino::head::take_text;

/// Keys that matter are shorter.
const LONGEST_KEY: usize = 12;

/// `data` is an array at this depth; its rows are arrays one deeper.
const IN_DATA: u32 = 2;

/// `{ data: { segments: [ { metadata: { rowsCount` stands so deep.
const IN_METADATA: u32 = 5;

/// Counts the rows of one page in passing.
#[derive(Debug)]
pub struct RowCounter {
    body: Body,
    walk: Walk,
    left: usize,
}

#[derive(Debug)]
enum Body {
    Plain,
    Packed(Inflate),
    Unreadable,
}

impl RowCounter {
    /// For a body with this `Content-Encoding`.
    pub fn new(content_encoding: Option<&str>) -> Self {
        let body = match Coding::of(content_encoding.unwrap_or_default()) {
            Coding::Identity => Body::Plain,
            Coding::Gzip => Body::Packed(Inflate::gzip()),
            Coding::Zstd => Inflate::zstd().map_or(Body::Unreadable, Body::Packed),
            Coding::Other => Body::Unreadable,
        };
        Self { body, walk: Walk::default(), left: MOST_INFLATED }
    }

    /// Reads the next piece; how many rows it had.
    pub fn feed(&mut self, piece: &[u8]) -> u64 {
        let before = self.walk.rows;
        match &self.body {
            Body::Plain => self.walk.feed(piece),
            Body::Packed(_) => self.inflate(piece),
            Body::Unreadable => {}
        }
        self.walk.rows - before
    }

    /// Whether the rows of this page are not known.
    pub fn is_lost(&self) -> bool {
        matches!(self.body, Body::Unreadable)
    }

    fn inflate(&mut self, piece: &[u8]) {
        let mut room = [0; ROOM];
        for mut slice in piece.chunks(SLICE) {
            while let Body::Packed(inflate) = &mut self.body {
                let before = slice.len();
                let made = inflate.next(&mut slice, &mut room);
                let left = made.and_then(|made| self.left.checked_sub(made));
                let (Some(made), Some(left)) = (made, left) else {
                    self.body = Body::Unreadable;
                    return;
                };
                self.left = left;
                self.walk.feed(room.get(..made).unwrap_or_default());
                if (slice.is_empty() && made < room.len()) || (made == 0 && slice.len() == before) {
                    break;
                }
            }
        }
    }
}

/// What `data` turned out to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Data {
    /// Another key's value, or none yet.
    #[default]
    Elsewhere,
    /// The next value is it.
    Next,
    Rows,
    Segments,
}

/// The walk over the JSON; it checks nothing that it does not count.
#[derive(Debug, Default)]
struct Walk {
    depth: u32,
    /// The next string is a key, if it is one at all.
    key_next: bool,
    in_text: bool,
    in_key: bool,
    escaped: bool,
    key: [u8; LONGEST_KEY],
    key_length: usize,
    data: Data,
    /// The number that is being read: that of `rowsCount`.
    number: Option<u64>,
    rows: u64,
}

impl Walk {
    fn feed(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            if self.in_text {
                self.text(&mut input);
            } else if let Some((byte, rest)) = input.split_first() {
                input = rest;
                self.structure(*byte);
            }
        }
    }

    fn text(&mut self, input: &mut &[u8]) {
        let (key, length, in_key) = (&mut self.key, &mut self.key_length, self.in_key);
        let closed = take_text(input, &mut self.escaped, |piece| {
            for byte in piece.iter().filter(|_| in_key) {
                if let Some(place) = key.get_mut(*length) {
                    *place = *byte;
                }
                *length = length.saturating_add(1);
            }
        });
        if closed {
            self.in_text = false;
        }
    }

    fn structure(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.in_text = true;
                self.in_key = self.key_next;
                self.key_length = if self.in_key { 0 } else { self.key_length };
                self.key_next = false;
                self.elsewhere();
            }
            b'{' | b'[' => self.open(byte),
            b'}' | b']' => self.close(),
            b',' => {
                self.end_number();
                self.elsewhere();
                self.key_next = true;
            }
            b':' => self.colon(),
            b'0'..=b'9' => {
                if let Some(number) = &mut self.number {
                    *number = number.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                }
            }
            b'n' => self.elsewhere(),
            _ => {}
        }
    }

    fn open(&mut self, byte: u8) {
        if self.data == Data::Next {
            self.data = if byte == b'[' { Data::Rows } else { Data::Segments };
        } else if self.data == Data::Rows && self.depth == IN_DATA && byte == b'[' {
            self.rows = self.rows.saturating_add(1);
        }
        self.number = None;
        self.depth = self.depth.saturating_add(1);
        self.key_next = byte == b'{';
    }

    fn close(&mut self) {
        self.end_number();
        self.depth = self.depth.saturating_sub(1);
        self.key_next = false;
        if self.depth < IN_DATA {
            self.data = Data::Elsewhere;
        }
    }

    fn colon(&mut self) {
        let key =
            if self.in_key { self.key.get(..self.key_length).unwrap_or_default() } else { b"" };
        match self.depth {
            1 if key == b"data" => self.data = Data::Next,
            IN_METADATA if self.data == Data::Segments && key == b"rowsCount" => {
                self.number = Some(0);
            }
            _ => {}
        }
        self.in_key = false;
    }

    fn end_number(&mut self) {
        self.rows = self.rows.saturating_add(self.number.take().unwrap_or_default());
    }

    /// The value that began is no list and no object.
    fn elsewhere(&mut self) {
        if self.data == Data::Next {
            self.data = Data::Elsewhere;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const PAGE: &str = r#"{"id":"x","nextUri":"http://a/\"data\":[[1]]","columns":[{"name":"data","typeSignature":{"rawType":"bigint"}}],
        "data":[["a]]\\\"[",[1,[2]],{"data":[[1]]}],["b",null,{}] , []],"stats":{"state":"RUNNING","data":[[1],[2]]}}"#;
    const SPOOLED: &str = r#"{"id":"x","data":{"encoding":"json+zstd","metadata":{"rowsCount":7},"segments":[
        {"type":"inline","data":"\"rowsCount\":9","metadata":{"rowOffset":0,"rowsCount":120,"segmentSize":9}},
        {"type":"spooled","uri":"u","ackUri":"a","metadata":{"segmentSize":5,"rowsCount": 3 },"headers":{"x":["1"]}}]},"stats":{"rowsCount":8}}"#;

    fn counted(body: &[u8], coding: Option<&str>, step: usize) -> (u64, bool) {
        let mut counter = RowCounter::new(coding);
        let rows = body.chunks(step).map(|piece| counter.feed(piece)).sum();
        (rows, counter.is_lost())
    }

    #[test]
    fn rows_are_counted_however_the_page_is_split() {
        for step in [1, 2, 3, 7, 10_000] {
            assert_eq!(counted(PAGE.as_bytes(), None, step), (3, false), "{step}");
            assert_eq!(counted(SPOOLED.as_bytes(), None, step), (123, false), "{step}");
        }
    }

    #[test]
    fn a_page_without_rows_has_none() {
        for page in [
            r#"{"id":"x"}"#,
            r#"{"data":null,"x":[[1]]}"#,
            r#"{"data":[],"x":[[1]]}"#,
            r#"{"data":"[[1]]","x":[[1]]}"#,
            "",
            "[[1]]",
            "{{{",
        ] {
            assert_eq!(counted(page.as_bytes(), None, 1).0, 0, "{page}");
        }
    }

    #[test]
    fn compressed_pages_are_inflated() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(PAGE.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(PAGE.as_bytes(), 1).unwrap();
        for step in [1, 13, 100_000] {
            assert_eq!(counted(&gzip, Some("gzip"), step), (3, false));
            assert_eq!(counted(&zstd, Some("zstd"), step), (3, false));
        }
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        assert!(counted(PAGE.as_bytes(), Some("br"), 100).1);
        assert!(counted(PAGE.as_bytes(), Some("gzip"), 100).1);
    }
}
