//! The data of a page, made piece by piece while it is sent: a page of 16 MB costs neither memory nor much time.

use std::fmt::Write;
use std::sync::LazyLock;

use bytes::Bytes;

/// The data of one page.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    /// A page without `data`.
    None,
    /// The rows as JSON text, without the outer brackets, and how many they are.
    Text(Bytes, u64),
    /// `[n,"row n"]` for `count` numbers from `from` on.
    Numbered { from: u64, count: u64 },
    /// The prebuilt block, so many times: the fast path of benchmarks.
    Blocks(u64),
    /// Something other than rows, complete: the `data` object of a spooled result.
    Segments(Bytes),
}

/// Rows of one block; 64 bytes each with their comma, so a block has 64 KiB less one comma.
const BLOCK_ROWS: usize = 1024;
/// Numbered rows made at once: about 32 KiB of text.
const ROWS_AT_ONCE: u64 = 1024;
/// The size of a block with the comma that follows it, in bytes.
pub(super) const BLOCK_BYTES: u64 = 65536;

/// What is copied into one piece: 16 KiB, or as many numbered rows.
const SMALL_BYTES: usize = 16 * 1024;
const SMALL_ROWS: u64 = 512;

/// Equal rows of 63 bytes between commas.
static BLOCK: LazyLock<Bytes> = LazyLock::new(|| {
    let row = format!(r#"[123456789,"{}"]"#, "x".repeat(50 - 1));
    Bytes::from(vec![row; BLOCK_ROWS].join(","))
});
/// The same after a comma, as every block but the first comes.
static NEXT_BLOCK: LazyLock<Bytes> = LazyLock::new(|| {
    let mut text = vec![b','];
    text.extend_from_slice(&BLOCK);
    Bytes::from(text)
});

impl Rows {
    /// Rows of about `bytes` in all: whole blocks, or fewer rows when it is less than one.
    pub(super) fn sized(bytes: u64) -> Self {
        if bytes >= BLOCK_BYTES {
            return Self::Blocks(bytes.div_ceil(BLOCK_BYTES));
        }
        let rows = usize::try_from(bytes / 64).unwrap_or(1).clamp(1, BLOCK_ROWS);
        Self::Text(BLOCK.slice(..(rows * 64 - 1).min(BLOCK.len())), rows as u64)
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::None | Self::Segments(_) => 0,
            Self::Text(_, count) | Self::Numbered { count, .. } => *count,
            Self::Blocks(blocks) => blocks * BLOCK_ROWS as u64,
        }
    }

    /// Whether the page has a `data` field.
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Self::None | Self::Numbered { count: 0, .. })
    }

    /// Whether it is cheaper to copy the text than to send it in pieces.
    pub(super) fn is_small(&self) -> bool {
        match self {
            Self::None => true,
            Self::Text(text, _) | Self::Segments(text) => text.len() <= SMALL_BYTES,
            Self::Numbered { count, .. } => *count <= SMALL_ROWS,
            Self::Blocks(_) => false,
        }
    }

    /// The value of `data` piece by piece.
    pub(super) fn pieces(&self) -> Pieces {
        Pieces { rows: self.clone(), step: 0, done: !self.is_some() }
    }
}

/// An iterator over the JSON text of a page's `data`.
#[derive(Debug)]
pub(super) struct Pieces {
    rows: Rows,
    step: u64,
    done: bool,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let step = self.step;
        self.step += 1;
        match &self.rows {
            Rows::Segments(object) => {
                self.done = true;
                Some(object.clone())
            }
            Rows::None => None,
            _ if step == 0 => Some(Bytes::from_static(b"[")),
            rows => match piece(rows, step - 1) {
                Some(piece) => Some(piece),
                None => {
                    self.done = true;
                    Some(Bytes::from_static(b"]"))
                }
            },
        }
    }
}

fn piece(rows: &Rows, step: u64) -> Option<Bytes> {
    match rows {
        Rows::Text(text, _) => (step == 0).then(|| text.clone()),
        Rows::Blocks(blocks) if step == 0 && *blocks > 0 => Some(BLOCK.clone()),
        Rows::Blocks(blocks) => (step < *blocks).then(|| NEXT_BLOCK.clone()),
        Rows::Numbered { from, count } => numbered(*from, *count, step),
        Rows::None | Rows::Segments(_) => None,
    }
}

fn numbered(from: u64, count: u64, step: u64) -> Option<Bytes> {
    let first = step * ROWS_AT_ONCE;
    if first >= count {
        return None;
    }
    let rows = ROWS_AT_ONCE.min(count - first);
    let mut text = String::with_capacity(32 * 1024);
    for index in first..first + rows {
        let comma = if index == 0 { "" } else { "," };
        let number = from + index;
        let _ = write!(text, r#"{comma}[{number},"row {number}"]"#);
    }
    Some(Bytes::from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text(rows: &Rows) -> Vec<u8> {
        rows.pieces().flat_map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn numbered_rows_are_complete_over_several_pieces() {
        let rows = Rows::Numbered { from: 5, count: 3000 };
        let parsed: Vec<(u64, String)> = serde_json::from_slice(&text(&rows)).unwrap();
        assert_eq!(parsed.len(), 3000);
        assert_eq!(parsed.first().unwrap(), &(5, "row 5".to_owned()));
        assert_eq!(parsed.last().unwrap(), &(3004, "row 3004".to_owned()));
    }

    #[test]
    fn blocks_have_the_size_asked_for() {
        let rows = Rows::sized(1 << 20);
        let text = text(&rows);
        assert_eq!(text.len(), (1 << 20) + 1);
        let parsed: Vec<(u64, String)> = serde_json::from_slice(&text).unwrap();
        assert_eq!(parsed.len() as u64, rows.count());
        let small = Rows::sized(1000);
        assert!(serde_json::from_slice::<Vec<(u64, String)>>(&self::text(&small)).is_ok());
    }
}
