//! Passing over a JSON value of no interest: strings by search, all else by bracket depth.
//!
//! This is where the bytes of `columns` and of a last page's `data` go by, so it holds two numbers and no text, and
//! nothing that nests can make it grow. It does not check the value: a `]` may close a `{`.

use memchr::memchr2;

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
        let Some(at) = memchr2(b'"', b'\\', input) else {
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
