//! The literals of a block, as many as are wanted: as they are, one byte again and again, or in a Huffman code
//! (RFC 8878, 3.1.1.3.1).

use super::{bits::Backwards, huffman::Code};

/// How they come.
#[derive(Debug)]
enum Kind<'a> {
    Raw(&'a [u8]),
    Repeated(u8),
    Coded {
        code: Box<Code>,
        stream: Backwards<'a>,
        /// Bytes that the stream still holds.
        in_stream: usize,
        /// The streams behind it, and what each holds but the last.
        further: std::vec::IntoIter<&'a [u8]>,
        each: usize,
    },
}

/// Literals from the first on.
#[derive(Debug)]
pub(super) struct Literals<'a> {
    kind: Kind<'a>,
    /// Those that have not been taken.
    pub(super) left: usize,
}

impl<'a> Literals<'a> {
    /// Reads the section at the beginning of a block, and what stands behind it.
    pub(super) fn read(block: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let first = *block.first()?;
        let format = (first >> 2) & 3;
        match first & 3 {
            kind @ (0 | 1) => {
                let (bytes, shift) = match format {
                    1 => (2, 4),
                    3 => (3, 4),
                    _ => (1, 3),
                };
                let (head, rest) = block.split_at_checked(bytes)?;
                Self::uncoded(kind, usize::try_from(number(head) >> shift).ok()?, rest)
            }
            2 => {
                let (bytes, width, streams) = match format {
                    0 => (3, 10, 1),
                    1 => (3, 10, 4),
                    2 => (4, 14, 4),
                    _ => (5, 18, 4),
                };
                let (head, rest) = block.split_at_checked(bytes)?;
                let part =
                    |shift: u32| usize::try_from((number(head) >> shift) & ((1 << width) - 1));
                let (section, rest) = rest.split_at_checked(part(4 + width).ok()?)?;
                Some((Self::coded(part(4).ok()?, section, streams)?, rest))
            }
            // The code of a block before this one, and there is none.
            _ => None,
        }
    }

    fn uncoded(kind: u8, size: usize, rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (own, rest) = rest.split_at_checked(if kind == 0 { size } else { 1 })?;
        let kind = if kind == 0 { Kind::Raw(own) } else { Kind::Repeated(*own.first()?) };
        Some((Self { kind, left: size }, rest))
    }

    fn coded(size: usize, section: &'a [u8], streams: usize) -> Option<Self> {
        let (code, rest) = Code::described(section)?;
        let (each, streams) = match streams {
            1 => (size, vec![rest]),
            _ => (size.div_ceil(4), four(rest)?),
        };
        let mut further = streams.into_iter();
        let stream = Backwards::new(further.next()?)?;
        let kind = Kind::Coded { code: Box::new(code), stream, in_stream: each, further, each };
        Some(Self { kind, left: size })
    }

    /// Appends the next `count`; `None` when there are not so many.
    pub(super) fn take(&mut self, count: usize, text: &mut Vec<u8>) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        match &mut self.kind {
            Kind::Raw(bytes) => {
                let (taken, rest) = bytes.split_at_checked(count)?;
                text.extend_from_slice(taken);
                *bytes = rest;
            }
            Kind::Repeated(byte) => text.resize(text.len() + count, *byte),
            Kind::Coded { code, stream, in_stream, further, each } => {
                for _ in 0..count {
                    if *in_stream == 0 {
                        stream.is_empty().then_some(())?;
                        *stream = Backwards::new(further.next()?)?;
                        *in_stream = *each;
                    }
                    text.push(code.next(stream));
                    *in_stream -= 1;
                }
                (!stream.is_over()).then_some(())?;
            }
        }
        Some(())
    }
}

/// A number of up to eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Four streams behind the lengths of the first three.
fn four(section: &[u8]) -> Option<Vec<&[u8]>> {
    let (lengths, mut rest) = section.split_at_checked(6)?;
    let mut streams = Vec::with_capacity(4);
    for length in lengths.chunks(2) {
        let (stream, further) = rest.split_at_checked(usize::try_from(number(length)).ok()?)?;
        streams.push(stream);
        rest = further;
    }
    streams.push(rest);
    Some(streams)
}
