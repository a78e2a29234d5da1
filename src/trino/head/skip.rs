//! Passing over a JSON value of no interest: strings by search, all else by bracket depth.
//!
//! This is where the bytes of `columns` and of a last page's `data` go by, so it holds two numbers and no text, and
//! nothing that nests can make it grow. It does not check the value: a `]` may close a `{`.

use memchr::memchr2;

/// Words of eight bytes that are looked at before a vector search begins.
const WORDS_BY_HAND: usize = 4;
const ONES: u64 = u64::from_le_bytes([1; 8]);
const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);

/// Where in a skipped value the last piece ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Skip {
    /// Brackets open; 0 when the value is a lone string.
    depth: u64,
    in_text: bool,
    /// The last byte was a backslash inside a string.
    escaped: bool,
}

impl Skip {
    /// A value that is a string, its opening quote taken.
    pub(crate) fn text() -> Self {
        Self { in_text: true, ..Self::default() }
    }

    /// The rest of a string that may have ended in the middle of an escape.
    pub(crate) fn text_after(escaped: bool) -> Self {
        Self { in_text: true, escaped, ..Self::default() }
    }

    /// An object or an array, its opening bracket taken.
    pub(crate) fn nested() -> Self {
        Self { depth: 1, ..Self::default() }
    }

    /// Takes the value's bytes from `input`; true when its last one has been taken.
    pub(crate) fn take(&mut self, input: &mut &[u8]) -> bool {
        loop {
            if self.in_text {
                if !self.take_text(input) {
                    return false;
                }
            } else if !self.take_structure(input) {
                return false;
            }
            if !self.in_text && self.depth == 0 {
                return true;
            }
        }
    }

    /// To the end of the string; false when the input ended first.
    fn take_text(&mut self, input: &mut &[u8]) -> bool {
        let closed = take_text(input, &mut self.escaped, |_| {});
        self.in_text = !closed;
        closed
    }

    /// To the next string or to the end of the value; false when the input ended first.
    fn take_structure(&mut self, input: &mut &[u8]) -> bool {
        let mut depth = self.depth;
        let mut rest = input.iter();
        let mut stopped = false;
        for byte in rest.by_ref() {
            match byte {
                b'"' => self.in_text = true,
                b'[' | b'{' => {
                    depth = depth.saturating_add(1);
                    continue;
                }
                b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth > 0 {
                        continue;
                    }
                }
                _ => continue,
            }
            stopped = true;
            break;
        }
        *input = rest.as_slice();
        self.depth = depth;
        stopped
    }
}

/// Takes the rest of a string with its closing quote, telling each piece before the quote; false when the input ended
/// first. `escaped` carries a backslash over a split.
pub(crate) fn take_text(
    input: &mut &[u8],
    escaped: &mut bool,
    mut piece: impl FnMut(&[u8]),
) -> bool {
    loop {
        if *escaped {
            let Some((byte, rest)) = input.split_first() else { return false };
            piece(std::slice::from_ref(byte));
            *input = rest;
            *escaped = false;
        }
        let Some(at) = find_stop(input) else {
            piece(input);
            *input = &[];
            return false;
        };
        let (before, from) = input.split_at(at);
        piece(before);
        let Some((byte, rest)) = from.split_first() else { return false };
        *input = rest;
        if *byte == b'"' {
            return true;
        }
        piece(b"\\");
        *escaped = true;
    }
}

/// Takes a whole string without escapes with its closing quote and gives its text; nothing is taken if there is none.
pub(crate) fn take_plain_text<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (text, from) = input.split_at(find_stop(input)?);
    let (stop, rest) = from.split_first()?;
    if *stop != b'"' {
        return None;
    }
    *input = rest;
    Some(text)
}

/// Where the first quote or backslash is. Most strings of a page are shorter than the set-up of a vector search is
/// worth, so the first words are looked at by plain arithmetic.
fn find_stop(input: &[u8]) -> Option<usize> {
    let mut rest = input;
    for word in 0..WORDS_BY_HAND {
        let Some((bytes, after)) = rest.split_first_chunk::<8>() else { break };
        let bytes = u64::from_le_bytes(*bytes);
        let stops = zero_bytes(bytes ^ QUOTES) | zero_bytes(bytes ^ BACKSLASHES);
        if stops != 0 {
            return Some(word * 8 + stops.trailing_zeros() as usize / 8);
        }
        rest = after;
    }
    memchr2(b'"', b'\\', rest).map(|at| at + input.len() - rest.len())
}

/// The top bit of each byte that is zero; bits above the lowest one may be wrong (a borrow), that one never is.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_first_stop_is_found_among_any_bytes(
            mut bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x20_u8..0x24, 0x5A_u8..0x5F], 0..80),
            quiet in 0_usize..80,
        ) {
            for byte in bytes.iter_mut().take(quiet) {
                *byte = if matches!(byte, b'"' | b'\\') { *byte ^ 1 } else { *byte };
            }
            prop_assert_eq!(find_stop(&bytes), bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')));
        }
    }
}
