//! The sequences of a block: so many literals, then so many bytes once more that stood so far back
//! (RFC 8878, 3.1.1.3.2 and 3.1.1.4).

use super::{
    bits::Backwards,
    fse::{State, Table},
};

/// The first value of a code, and how many bits are added to it.
type Range = (u32, u32);

/// Codes of literal lengths from 16 on; those below are the lengths themselves.
#[rustfmt::skip]
const LITERAL_LENGTHS: [Range; 20] = [
    (16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3), (48, 4), (64, 6), (128, 7), (256, 8),
    (512, 9), (1024, 10), (2048, 11), (4096, 12), (8192, 13), (16384, 14), (32768, 15), (65536, 16),
];
const LITERAL_LENGTHS_FROM: u8 = 16;

/// Codes of match lengths from 32 on; those below are the lengths less the shortest.
#[rustfmt::skip]
const MATCH_LENGTHS: [Range; 21] = [
    (35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4), (83, 4), (99, 5), (131, 7),
    (259, 8), (515, 9), (1027, 10), (2051, 11), (4099, 12), (8195, 13), (16387, 14), (32771, 15), (65539, 16),
];
const MATCH_LENGTHS_FROM: u8 = 32;
const SHORTEST_MATCH: u32 = 3;

/// Counts of states where a block describes none (RFC 8878, 3.1.1.3.2.2), with their accuracy.
#[rustfmt::skip]
const USUAL_LITERAL_LENGTHS: ([i16; 36], u32) = ([
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
], 6);
#[rustfmt::skip]
const USUAL_MATCH_LENGTHS: ([i16; 53], u32) = ([
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
], 6);
#[rustfmt::skip]
const USUAL_OFFSETS: ([i16; 29], u32) = ([
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
], 5);

/// The most accurate tables that a block may describe.
const LENGTHS_ACCURACY: u32 = 9;
const OFFSETS_ACCURACY: u32 = 8;
/// No offset of a window that we read has more bits.
const MOST_OFFSET_BITS: u8 = 31;

/// One sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    pub(super) literals: usize,
    pub(super) length: usize,
    /// How far back the match begins.
    pub(super) offset: usize,
}

/// Sequences from the first on.
#[derive(Debug)]
pub(super) struct Sequences<'a> {
    left: usize,
    tables: Option<Box<Tables>>,
    bits: Option<Backwards<'a>>,
    states: Option<[State; 3]>,
    /// The last three offsets, the latest first.
    recent: [usize; 3],
}

/// Of literal lengths, offsets and match lengths.
#[derive(Debug)]
struct Tables([Table; 3]);

impl<'a> Sequences<'a> {
    /// Reads the section that ends a block.
    pub(super) fn read(section: &'a [u8]) -> Option<Self> {
        let (left, rest) = count(section)?;
        let mut sequences =
            Self { left, tables: None, bits: None, states: None, recent: [1, 4, 8] };
        if left > 0 {
            let (tables, stream) = tables(rest)?;
            let mut bits = Backwards::new(stream)?;
            sequences.states = Some(tables.0.each_ref().map(|table| table.first(&mut bits)));
            sequences.tables = Some(Box::new(tables));
            sequences.bits = Some(bits);
        }
        Some(sequences)
    }

    /// The next one: `Some(None)` behind the last, `None` where the block is broken.
    pub(super) fn next(&mut self) -> Option<Option<Sequence>> {
        if self.left == 0 {
            return Some(None);
        }
        self.left -= 1;
        let Tables([literals, offsets, matches]) = self.tables.as_deref()?;
        let bits = self.bits.as_mut()?;
        let [literal, offset, length] = self.states?;
        let code = offsets.symbol(offset);
        (code <= MOST_OFFSET_BITS).then_some(())?;
        let back = (1_u32 << code) + bits.take(code.into());
        let length_found = match_length(matches.symbol(length), bits)?;
        let literals_found = literal_length(literals.symbol(literal), bits)?;
        if self.left > 0 {
            let literal = literals.next(literal, bits);
            let length = matches.next(length, bits);
            self.states = Some([literal, offsets.next(offset, bits), length]);
        }
        (!bits.is_over()).then_some(())?;
        let offset = self.offset(usize::try_from(back).ok()?, literals_found == 0)?;
        Some(Some(Sequence {
            literals: usize::try_from(literals_found).ok()?,
            length: usize::try_from(length_found).ok()?,
            offset,
        }))
    }

    /// What an offset's value means: up to three, one of the recent ones, the next of them if no literal stands before.
    fn offset(&mut self, value: usize, no_literals: bool) -> Option<usize> {
        let [first, second, third] = self.recent;
        let (offset, recent) = match value.checked_sub(3) {
            Some(new) if new > 0 => (new, [new, first, second]),
            _ => match value - 1 + usize::from(no_literals) {
                0 => (first, self.recent),
                1 => (second, [second, first, third]),
                2 => (third, [third, first, second]),
                _ => (first - 1, [first - 1, first, second]),
            },
        };
        (offset > 0).then_some(())?;
        self.recent = recent;
        Some(offset)
    }
}

fn count(section: &[u8]) -> Option<(usize, &[u8])> {
    let byte = |at: usize| section.get(at).map(|byte| usize::from(*byte));
    let (count, bytes) = match byte(0)? {
        few @ 0..128 => (few, 1),
        255 => (byte(1)? + (byte(2)? << 8) + 0x7F00, 3),
        high => (((high - 128) << 8) + byte(1)?, 2),
    };
    Some((count, section.get(bytes..)?))
}

fn tables(section: &[u8]) -> Option<(Tables, &[u8])> {
    let (modes, rest) = section.split_first()?;
    (modes & 3 == 0).then_some(())?;
    let (counts, accuracy) = &USUAL_LITERAL_LENGTHS;
    let (literals, rest) = table(modes >> 6, rest, (counts, *accuracy), LENGTHS_ACCURACY)?;
    let (counts, accuracy) = &USUAL_OFFSETS;
    let (offsets, rest) = table((modes >> 4) & 3, rest, (counts, *accuracy), OFFSETS_ACCURACY)?;
    let (counts, accuracy) = &USUAL_MATCH_LENGTHS;
    let (matches, rest) = table((modes >> 2) & 3, rest, (counts, *accuracy), LENGTHS_ACCURACY)?;
    Some((Tables([literals, offsets, matches]), rest))
}

fn table<'a>(
    mode: u8,
    section: &'a [u8],
    usual: (&[i16], u32),
    most: u32,
) -> Option<(Table, &'a [u8])> {
    match mode {
        0 => Some((Table::of_counts(usual.0, usual.1)?, section)),
        1 => section.split_first().map(|(symbol, rest)| (Table::constant(*symbol), rest)),
        2 => Table::described(section, most),
        // That of a block before this one, and there is none.
        _ => None,
    }
}

fn literal_length(code: u8, bits: &mut Backwards<'_>) -> Option<u32> {
    let Some(above) = code.checked_sub(LITERAL_LENGTHS_FROM) else { return Some(code.into()) };
    let (first, added) = LITERAL_LENGTHS.get(usize::from(above))?;
    Some(first + bits.take(*added))
}

fn match_length(code: u8, bits: &mut Backwards<'_>) -> Option<u32> {
    let Some(above) = code.checked_sub(MATCH_LENGTHS_FROM) else {
        return Some(u32::from(code) + SHORTEST_MATCH);
    };
    let (first, added) = MATCH_LENGTHS.get(usize::from(above))?;
    Some(first + bits.take(*added))
}
