//! One step of inflating at a time, of either format.

use std::fmt;

use zstd::stream::raw::{Decoder, Operation};
use zstd::zstd_safe::DParameter;

use crate::trino::page::gzip::Gzip;

/// The largest zstd window that HTTP allows (RFC 9659: 8 MiB); a frame that wants more memory is not read.
const LARGEST_WINDOW_LOG: u32 = 23;

/// A body being inflated; large, so boxed.
pub(super) enum Inflate {
    Gzip(Box<Gzip>),
    Zstd(Decoder<'static>),
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        Self::Gzip(Box::default())
    }

    /// `None` when there is no memory for it.
    pub(super) fn zstd() -> Option<Self> {
        let mut decoder = Decoder::new().ok()?;
        decoder.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW_LOG)).ok()?;
        Some(Self::Zstd(decoder))
    }

    /// Takes from `input` and writes into `room`: how many bytes were written, or `None` when the body is broken.
    pub(super) fn next(&mut self, input: &mut &[u8], room: &mut [u8]) -> Option<usize> {
        match self {
            Self::Gzip(gzip) => gzip.next(input, room),
            Self::Zstd(decoder) => {
                let status = decoder.run_on_buffers(input, room).ok()?;
                *input = input.get(status.bytes_read..)?;
                Some(status.bytes_written)
            }
        }
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip(_) => "Gzip",
            Self::Zstd(_) => "Zstd",
        })
    }
}
