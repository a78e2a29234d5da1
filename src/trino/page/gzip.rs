//! The gzip format (RFC 1952) around a deflate stream, member after member, split anywhere.
//!
//! Checksums are not checked: the client does that, on the same bytes.

use flate2::{Decompress, FlushDecompress, Status};

/// Fixed bytes of a member's header: magic 2, method, flags, time 4, extra flags, system.
const HEADER: usize = 10;
/// Bytes after the deflate stream: checksum 4, length 4.
const TRAILER: usize = 8;
const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;

/// A gzip body being inflated.
#[derive(Debug)]
pub(super) struct Gzip {
    place: Place,
    flags: u8,
    inflate: Decompress,
}

/// Which part of a member the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// The fixed header; the number of bytes taken.
    Header(usize),
    ExtraLow,
    ExtraHigh(usize),
    /// Bytes to pass over before the next part: the extra field.
    Extra(usize),
    Name,
    Comment,
    /// Bytes of the header's checksum left.
    Checksum(usize),
    Deflate,
    /// Bytes of the trailer left.
    Trailer(usize),
}

impl Default for Gzip {
    fn default() -> Self {
        Self { place: Place::Header(0), flags: 0, inflate: Decompress::new(false) }
    }
}

impl Gzip {
    /// Back to before the first byte; true, since that always works.
    pub(super) fn reset(&mut self) -> bool {
        self.place = Place::Header(0);
        self.flags = 0;
        self.inflate.reset(false);
        true
    }

    /// Takes from `input` and writes into `room`: how many bytes were written, or `None` when this is no gzip.
    pub(super) fn next(&mut self, input: &mut &[u8], room: &mut [u8]) -> Option<usize> {
        while !matches!(self.place, Place::Deflate) {
            let Some((byte, rest)) = input.split_first() else { return Some(0) };
            *input = rest;
            self.place = self.frame(*byte)?;
        }
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, room, FlushDecompress::None).ok()?;
        *input = input.get(usize::try_from(self.inflate.total_in() - taken).ok()?..)?;
        let made = usize::try_from(self.inflate.total_out() - made).ok()?;
        if status == Status::StreamEnd {
            self.place = Place::Trailer(TRAILER);
            self.inflate.reset(false);
        }
        Some(made)
    }

    /// The place after one byte outside the deflate stream.
    fn frame(&mut self, byte: u8) -> Option<Place> {
        Some(match self.place {
            Place::Header(at) => self.header(at, byte)?,
            Place::ExtraLow => Place::ExtraHigh(usize::from(byte)),
            Place::ExtraHigh(low) => self.after_extra(low + 256 * usize::from(byte)),
            Place::Extra(left) => self.after_extra(left - 1),
            Place::Name if byte == 0 => self.after_name(),
            Place::Comment if byte == 0 => self.after_comment(),
            Place::Checksum(2) => Place::Checksum(1),
            Place::Checksum(_) => Place::Deflate,
            Place::Trailer(1) => Place::Header(0),
            Place::Trailer(left) => Place::Trailer(left - 1),
            same @ (Place::Name | Place::Comment | Place::Deflate) => same,
        })
    }

    fn header(&mut self, at: usize, byte: u8) -> Option<Place> {
        let right = match at {
            0 => byte == 0x1F,
            1 => byte == 0x8B,
            2 => byte == 8,
            _ => true,
        };
        if at == 3 {
            self.flags = byte;
        }
        right.then(|| if at + 1 < HEADER { Place::Header(at + 1) } else { self.after_header() })
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn after_header(&self) -> Place {
        if self.has(HAS_EXTRA) { Place::ExtraLow } else { self.after_extra(0) }
    }

    fn after_extra(&self, left: usize) -> Place {
        match left {
            0 if self.has(HAS_NAME) => Place::Name,
            0 => self.after_name(),
            _ => Place::Extra(left),
        }
    }

    fn after_name(&self) -> Place {
        if self.has(HAS_COMMENT) { Place::Comment } else { self.after_comment() }
    }

    fn after_comment(&self) -> Place {
        if self.has(HAS_CHECKSUM) { Place::Checksum(2) } else { Place::Deflate }
    }
}
