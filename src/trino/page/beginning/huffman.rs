//! The code of literals: a weight for each byte, and from them a table that the next bits of a stream are looked up in
//! (RFC 8878, 4.2).

use super::{
    bits::Backwards,
    fse::{State, Table},
};

/// No code is longer.
const LONGEST: u32 = 11;
/// The accuracy of the table that weights are packed with.
const WEIGHTS_ACCURACY: u32 = 6;
/// Weights of a description; that of the last byte is not stated.
const MOST_WEIGHTS: usize = 255;
/// First bytes from here on say that weights stand there unpacked.
const UNPACKED: u8 = 128;

/// A code.
#[derive(Debug)]
pub(super) struct Code {
    /// For all values of the next `longest` bits: the byte, and the bits that it takes.
    entries: [(u8, u8); 1 << LONGEST],
    longest: u32,
}

impl Code {
    /// Reads the description of a code, and what stands behind it.
    pub(super) fn described(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = bytes.split_first()?;
        let mut weights = Weights { of: [0; MOST_WEIGHTS + 1], count: 0 };
        let rest = if *first < UNPACKED {
            let (packed, rest) = rest.split_at_checked(usize::from(*first))?;
            weights.unpack(packed)?;
            rest
        } else {
            let count = usize::from(*first - UNPACKED) + 1;
            let (halves, rest) = rest.split_at_checked(count.div_ceil(2))?;
            for half in halves.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(count) {
                weights.push(half)?;
            }
            rest
        };
        Some((Self::of(&mut weights)?, rest))
    }

    /// The last byte has the weight that makes a power of two of them all.
    fn of(weights: &mut Weights) -> Option<Self> {
        let share = |weight: u8| if weight == 0 { 0 } else { 1_u32 << (weight - 1) };
        let stated: u32 = weights.all().iter().map(|weight| share(*weight)).sum();
        let longest = stated.checked_ilog2()? + 1;
        let left = (1 << longest) - stated;
        (longest <= LONGEST && left.is_power_of_two()).then_some(())?;
        let last = u8::try_from(left.ilog2() + 1).ok()?;
        *weights.of.get_mut(weights.count)? = last;
        weights.count += 1;
        let mut code = Self { entries: [(0, 0); 1 << LONGEST], longest };
        let mut at = 0;
        for weight in 1..=u8::try_from(longest).ok()? {
            let bits = u8::try_from(longest + 1 - u32::from(weight)).ok()?;
            let those = weights.all().iter().enumerate().filter(|(_, other)| **other == weight);
            for (byte, _) in those {
                let end = at + share(weight) as usize;
                code.entries.get_mut(at..end)?.fill((u8::try_from(byte).ok()?, bits));
                at = end;
            }
        }
        Some(code)
    }

    /// The next byte of a stream.
    pub(super) fn next(&self, bits: &mut Backwards<'_>) -> u8 {
        let found = self.entries.get(bits.peek(self.longest) as usize);
        let (byte, length) = found.copied().unwrap_or_default();
        bits.skip(length.into());
        byte
    }
}

struct Weights {
    of: [u8; MOST_WEIGHTS + 1],
    count: usize,
}

impl Weights {
    fn all(&self) -> &[u8] {
        self.of.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, weight: u8) -> Option<()> {
        (self.count < MOST_WEIGHTS && u32::from(weight) <= LONGEST).then_some(())?;
        *self.of.get_mut(self.count)? = weight;
        self.count += 1;
        Some(())
    }

    /// Two states take turns; when one has no bits left for its next, the other's symbol is the last.
    fn unpack(&mut self, packed: &[u8]) -> Option<()> {
        let (table, stream) = Table::described(packed, WEIGHTS_ACCURACY)?;
        let mut bits = Backwards::new(stream)?;
        let mut states: [State; 2] = [table.first(&mut bits), table.first(&mut bits)];
        (!bits.is_over()).then_some(())?;
        loop {
            let [one, other] = states;
            self.push(table.symbol(one))?;
            let next = table.next(one, &mut bits);
            if bits.is_over() {
                return self.push(table.symbol(other));
            }
            states = [other, next];
        }
    }
}
