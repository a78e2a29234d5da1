//! Bits as zstd packs them: forwards in the descriptions of its tables, backwards in its streams (RFC 8878, 4.1).

/// Bits from the first byte on, the lowest first.
#[derive(Debug)]
pub(super) struct Forwards<'a> {
    bytes: &'a [u8],
    /// Bits taken.
    at: usize,
}

impl<'a> Forwards<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits, at most 16, which stay where they are; behind the end there are zeros.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let byte = |ahead: usize| {
            let byte = self.bytes.get(self.at / 8 + ahead).copied().unwrap_or_default();
            u32::from(byte) << (8 * ahead)
        };
        let three = byte(0) | byte(1) | byte(2);
        (three >> (self.at % 8)) & ((1 << count) - 1)
    }

    pub(super) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    pub(super) fn take(&mut self, count: u32) -> u32 {
        let taken = self.peek(count);
        self.skip(count);
        taken
    }

    /// What follows the byte of the last bit taken; `None` when that was behind the end.
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.at.div_ceil(8)..)
    }
}

/// Bits from the last byte back; the highest set bit of that one says where they begin.
#[derive(Debug)]
pub(super) struct Backwards<'a> {
    bytes: &'a [u8],
    /// Bits that are left; below zero where more were taken than there were.
    left: isize,
}

impl<'a> Backwards<'a> {
    /// `None` for a stream without its mark.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mark = bytes.last()?.checked_ilog2()?;
        let left = isize::try_from(8 * (bytes.len() - 1) + mark as usize).ok()?;
        Some(Self { bytes, left })
    }

    /// The next bits, at most 32, which stay where they are; behind the end there are zeros.
    pub(super) fn peek(&self, count: u32) -> u32 {
        // The bits wanted end (exclusively) at `left`; eight bytes that hold them all are read as one number.
        let from = self.left - count as isize;
        let Ok(begin) = usize::try_from(from) else {
            let there = u32::try_from(self.left).unwrap_or_default();
            return if there == 0 { 0 } else { self.peek(there) << (count - there) };
        };
        let number = match self.bytes.get(begin / 8..).and_then(|bytes| bytes.first_chunk()) {
            Some(eight) => u64::from_le_bytes(*eight),
            None => self.last_bytes(begin / 8),
        };
        let mask = (1 << count) - 1;
        ((number >> (begin % 8)) & mask) as u32
    }

    /// Fewer than eight bytes as a number.
    fn last_bytes(&self, begin: usize) -> u64 {
        let last = self.bytes.get(begin..).unwrap_or_default();
        last.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(super) fn skip(&mut self, count: u32) {
        self.left -= count as isize;
    }

    pub(super) fn take(&mut self, count: u32) -> u32 {
        let taken = self.peek(count);
        self.skip(count);
        taken
    }

    /// Whether all bits were taken, and no more.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Whether more bits were taken than there were.
    pub(super) fn is_over(&self) -> bool {
        self.left < 0
    }
}
