//! Finite state entropy: a table that leads from state to state, a symbol for each (RFC 8878, 4.1).

use super::bits::{Backwards, Forwards};

/// The largest table here has so many states: 2^9, of lengths.
const MOST_STATES: usize = 512;
/// Symbols that a description may name: match lengths have 53, and each is less than 64.
const MOST_SYMBOLS: usize = 64;
/// The least accuracy that a description can state.
const LEAST_ACCURACY: u32 = 5;

/// Where a state leads.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    symbol: u8,
    /// Bits to be read, and what is added to them to come to the next state.
    bits: u8,
    base: u16,
}

/// A decoding table.
#[derive(Debug)]
pub(super) struct Table {
    steps: [Step; MOST_STATES],
    /// The binary logarithm of the number of states.
    accuracy: u32,
}

impl Table {
    /// A table of one symbol, which takes no bits.
    pub(super) fn constant(symbol: u8) -> Self {
        let mut steps = [Step::default(); MOST_STATES];
        if let Some(only) = steps.first_mut() {
            only.symbol = symbol;
        }
        Self { steps, accuracy: 0 }
    }

    /// Reads a description with an accuracy of at most `most`; and what stands behind it.
    pub(super) fn described(bytes: &[u8], most: u32) -> Option<(Self, &[u8])> {
        let mut bits = Forwards::new(bytes);
        let accuracy = bits.take(4) + LEAST_ACCURACY;
        if accuracy > most {
            return None;
        }
        let mut counts = [0_i16; MOST_SYMBOLS];
        let mut left = 1_i32 << accuracy;
        let mut symbol = 0;
        while left > 0 {
            let count = count(&mut bits, left);
            *counts.get_mut(symbol)? = i16::try_from(count).ok()?;
            left -= count.abs();
            symbol += 1;
            let mut again = count == 0;
            while again {
                let zeros = bits.take(2);
                symbol += zeros as usize;
                again = zeros == 3 && symbol < MOST_SYMBOLS;
            }
        }
        let rest = bits.rest()?;
        (left == 0).then_some(())?;
        Some((Self::of_counts(&counts, accuracy)?, rest))
    }

    /// The table of symbols with these counts of states; -1 stands for less than one.
    pub(super) fn of_counts(counts: &[i16], accuracy: u32) -> Option<Self> {
        let states = 1_usize << accuracy;
        let mut table = Self { steps: [Step::default(); MOST_STATES], accuracy };
        let mut next = [0_u16; MOST_SYMBOLS];
        // Those of less than one stand at the end, and the others are strewn over what is before them.
        let mut end = states;
        for (symbol, count) in (0_u8..).zip(counts) {
            *next.get_mut(usize::from(symbol))? = count.unsigned_abs();
            if *count == -1 {
                end = end.checked_sub(1)?;
                table.steps.get_mut(end)?.symbol = symbol;
            }
        }
        let stride = (states >> 1) + (states >> 3) + 3;
        let after = |at: usize| (at + stride) & (states - 1);
        let mut at = 0;
        for (symbol, count) in (0_u8..).zip(counts) {
            for _ in 0..*count.max(&0) {
                table.steps.get_mut(at)?.symbol = symbol;
                at = after(at);
                while at >= end {
                    at = after(at);
                }
            }
        }
        for step in table.steps.get_mut(..states)? {
            let next = next.get_mut(usize::from(step.symbol))?;
            let bits = accuracy.checked_sub(next.checked_ilog2()?)?;
            step.bits = u8::try_from(bits).ok()?;
            step.base = u16::try_from((usize::from(*next) << bits).checked_sub(states)?).ok()?;
            *next += 1;
        }
        Some(table)
    }

    /// The state that a stream begins in.
    pub(super) fn first(&self, bits: &mut Backwards<'_>) -> State {
        State(bits.take(self.accuracy) as usize)
    }

    pub(super) fn symbol(&self, state: State) -> u8 {
        self.step(state).symbol
    }

    /// The state that follows.
    pub(super) fn next(&self, state: State, bits: &mut Backwards<'_>) -> State {
        let step = self.step(state);
        State(usize::from(step.base) + bits.take(step.bits.into()) as usize)
    }

    fn step(&self, State(state): State) -> Step {
        // No state leads behind the table.
        self.steps.get(state).copied().unwrap_or_default()
    }
}

/// A place in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct State(usize);

/// How many states the next symbol has of those that are left. The fewer are left, the fewer bits say it; where not all
/// values of so many bits are needed, the small ones do with one bit less.
fn count(bits: &mut Forwards<'_>, left: i32) -> i32 {
    let most = left.unsigned_abs() + 1;
    let length = most.ilog2() + 1;
    let (value, low) = (bits.peek(length), bits.peek(length - 1));
    let spare = (1 << length) - 1 - most;
    let value = if low < spare {
        bits.skip(length - 1);
        low
    } else {
        bits.skip(length);
        if value > (1 << (length - 1)) - 1 { value - spare } else { value }
    };
    value.cast_signed() - 1
}
