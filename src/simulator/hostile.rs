//! Bodies that no coordinator sends, for tests of what reads them.

use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::body::Body;

/// One piece of the head that never ends, and how often it comes: 8 MiB in all.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 128;
/// What the bomb inflates to, in bytes.
const BOMB: usize = 64 * 1024 * 1024;

static BLANKS: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![b'x'; PIECE]));
static PACKED: LazyLock<Bytes> = LazyLock::new(|| pack().unwrap_or_default().into());

/// `{"id":"xxxx…`, for 8 MiB.
pub(super) fn endless() -> Body {
    let opening = std::iter::once(Bytes::from_static(br#"{"id":""#));
    Body::pieces(opening.chain(std::iter::repeat_n(BLANKS.clone(), PIECES)))
}

/// 64 KiB of gzip that inflate to a head of 64 MiB.
pub(super) fn bomb() -> Bytes {
    PACKED.clone()
}

fn pack() -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"id":""#)?;
    for _ in 0..BOMB / PIECE {
        encoder.write_all(&BLANKS)?;
    }
    encoder.finish()
}
