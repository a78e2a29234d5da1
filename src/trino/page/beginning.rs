//! The beginning of a zstd body, read without the rest of its first block.
//!
//! A head is about a kilobyte, but zstd's own decoder makes whole blocks, up to 128 KiB of text: more than half of what
//! a compressed page of 64 KiB cost us. So the first block is gathered as it comes, and once it is whole as much of it is
//! decoded here as the head's scanner wants.
//!
//! This is deliberately no decoder. Small blocks, blocks of other kinds, dictionaries, bodies that are broken, and heads
//! that do not end within the first text: all of that is the library's, which then begins with the first byte.
//! Checksums are not checked: the client does that, on the same bytes.

use std::{cell::RefCell, mem};

use literals::Literals;
use sequences::Sequences;

mod bits;
mod fse;
mod huffman;
mod literals;
mod sequences;

/// RFC 8878, 3.1.1.
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The largest window that HTTP allows (RFC 9659: 8 MiB), as a descriptor states it: 2^(10 + 13).
const LARGEST_WINDOW: u8 = 13 << 3;
/// No block holds more.
const LARGEST_BLOCK: usize = 128 * 1024;
/// The library is as quick with a block of so few bytes.
const SMALL_BLOCK: usize = 4 * 1024;
/// Text that is made before the library has its turn: many times a head, but not that of a thousand columns.
const MOST_TEXT: usize = 16 * 1024;
/// Text that is made at once: most heads end within the first or the second.
const AT_ONCE: usize = 512;
/// Buffers that a thread keeps for the next page.
const MOST_SPARE: usize = 16;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The first block of a body as it comes.
#[derive(Debug)]
pub(super) struct Beginning {
    held: Vec<u8>,
    /// Bytes up to the end of the block, once they are known.
    wanted: Option<usize>,
}

/// What has become of it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// The block is not whole yet.
    More,
    /// The block is here.
    Whole,
    /// The library has to read it.
    Other,
}

impl Beginning {
    pub(super) fn new() -> Self {
        let held = SPARE.with(|spare| spare.try_borrow_mut().ok()?.pop());
        Self { held: held.unwrap_or_default(), wanted: None }
    }

    /// Takes of `piece` what belongs to the first block, or to what stands before it.
    pub(super) fn take(&mut self, piece: &mut &[u8]) -> Found {
        loop {
            let wanted = match self.wanted {
                Some(end) if self.held.len() >= end => return Found::Whole,
                Some(end) => end - self.held.len(),
                None => 1,
            };
            let Some((taken, rest)) = piece.split_at_checked(wanted.min(piece.len())) else {
                return Found::Other;
            };
            if taken.is_empty() {
                return Found::More;
            }
            self.held.extend_from_slice(taken);
            *piece = rest;
            if self.wanted.is_none() {
                match block_of(&self.held) {
                    Block::Unknown => {}
                    Block::Other => return Found::Other,
                    Block::Compressed { end, .. } => {
                        self.wanted = Some(end);
                        self.held.reserve(end - self.held.len());
                    }
                }
            }
        }
    }

    /// What was taken.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Makes the text of a whole block, piece by piece, while `more` wants it. How much that was.
    pub(super) fn text(&self, mut more: impl FnMut(&[u8]) -> bool) -> usize {
        let mut text = Vec::with_capacity(MOST_TEXT);
        let Block::Compressed { begin, end } = block_of(&self.held) else { return 0 };
        let Some(mut decoding) = self.held.get(begin..end).and_then(Decoding::new) else {
            return 0;
        };
        let mut told = 0;
        loop {
            let next = decoding.next(&mut text);
            let is_over = next != Some(true) || text.len() >= MOST_TEXT;
            // A sequence that is broken may have left a part of it.
            if next.is_some() && (is_over || text.len() >= told + AT_ONCE) {
                let wants_more = more(text.get(told..).unwrap_or_default());
                told = text.len();
                if !wants_more {
                    return told;
                }
            }
            if is_over {
                return told;
            }
        }
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        let mut held = mem::take(&mut self.held);
        // A thread that is ending has no place for it.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < MOST_SPARE
            {
                held.clear();
                spare.push(held);
            }
        });
    }
}

/// What the first bytes of a body say of its first block.
enum Block {
    /// Too few of them.
    Unknown,
    /// Nothing for us.
    Other,
    /// It has been compressed, and is not small.
    Compressed { begin: usize, end: usize },
}

fn block_of(body: &[u8]) -> Block {
    let Some((magic, rest)) = body.split_first_chunk() else { return Block::Unknown };
    let Some(descriptor) = rest.first().copied() else { return Block::Unknown };
    let is_single = descriptor & 0x20 != 0;
    let has_dictionary = descriptor & 3 != 0;
    if *magic != MAGIC || has_dictionary || descriptor & 8 != 0 {
        return Block::Other;
    }
    let size = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    let fields = rest.get(1..).unwrap_or_default();
    if !is_single && fields.first().is_some_and(|window| *window > LARGEST_WINDOW) {
        return Block::Other;
    }
    let header = usize::from(!is_single) + size;
    let Some([low, middle, high]) = fields.get(header..).and_then(|bytes| bytes.first_chunk())
    else {
        return Block::Unknown;
    };
    let size = usize::from(*low >> 3) | usize::from(*middle) << 5 | usize::from(*high) << 13;
    let is_compressed = (*low >> 1) & 3 == 2;
    if !is_compressed || !(SMALL_BLOCK..=LARGEST_BLOCK).contains(&size) {
        return Block::Other;
    }
    let begin = MAGIC.len() + 1 + header + 3;
    Block::Compressed { begin, end: begin + size }
}

/// A block that is being decoded.
struct Decoding<'a> {
    literals: Literals<'a>,
    sequences: Sequences<'a>,
}

impl<'a> Decoding<'a> {
    fn new(block: &'a [u8]) -> Option<Self> {
        let (literals, rest) = Literals::read(block)?;
        Some(Self { literals, sequences: Sequences::read(rest)? })
    }

    /// Appends the text of the next sequence, of a very long one only as much as is of use: whether there is more in
    /// the block, or `None` where it is broken.
    fn next(&mut self, text: &mut Vec<u8>) -> Option<bool> {
        let Some(sequence) = self.sequences.next()? else {
            let some = self.literals.left.min(MOST_TEXT);
            self.literals.take(some, text)?;
            return Some(false);
        };
        if sequence.literals > MOST_TEXT {
            self.literals.take(MOST_TEXT, text)?;
            return Some(false);
        }
        self.literals.take(sequence.literals, text)?;
        let from = text.len().checked_sub(sequence.offset)?;
        copy(text, from, sequence.length.min(MOST_TEXT));
        Some(true)
    }
}

/// Appends what stands at `from`, again and again where it is shorter than `length`.
fn copy(text: &mut Vec<u8>, from: usize, length: usize) {
    let mut left = length;
    while left > 0 {
        let some = left.min(text.len() - from);
        text.extend_from_within(from..from + some);
        left -= some;
    }
}

#[cfg(test)]
mod tests;
