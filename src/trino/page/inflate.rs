//! One step of inflating at a time, of either format, with memory that goes from page to page.

use std::cell::RefCell;
use std::fmt;

use zstd::stream::raw::{Decoder, Operation};
use zstd::zstd_safe::DParameter;

use crate::trino::page::gzip::Gzip;

/// The largest zstd window that HTTP allows (RFC 9659: 8 MiB); a frame that wants more memory is not read.
const LARGEST_WINDOW_LOG: u32 = 23;

/// Inflaters that a thread keeps for the next page: making one costs more than inflating a head (zstd: three times).
const MOST_SPARE: usize = 4;

thread_local! {
    static SPARE: RefCell<Vec<Format>> = const { RefCell::new(Vec::new()) };
}

/// A body being inflated. Dropping it gives its memory to the thread's next.
pub(super) struct Inflate(Option<Format>);

enum Format {
    Gzip(Box<Gzip>),
    Zstd(Decoder<'static>),
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        let spare = take_spare(|format| matches!(format, Format::Gzip(_)));
        Self(Some(spare.unwrap_or_else(|| Format::Gzip(Box::default()))))
    }

    /// `None` when there is no memory for it.
    pub(super) fn zstd() -> Option<Self> {
        let spare = take_spare(|format| matches!(format, Format::Zstd(_)));
        spare.or_else(new_zstd).map(|format| Self(Some(format)))
    }

    /// Takes from `input` and writes into `room`: how many bytes were written, or `None` when the body is broken.
    pub(super) fn next(&mut self, input: &mut &[u8], room: &mut [u8]) -> Option<usize> {
        match self.0.as_mut()? {
            Format::Gzip(gzip) => gzip.next(input, room),
            Format::Zstd(decoder) => {
                let status = decoder.run_on_buffers(input, room).ok()?;
                *input = input.get(status.bytes_read..)?;
                Some(status.bytes_written)
            }
        }
    }
}

impl Drop for Inflate {
    fn drop(&mut self) {
        let Some(mut format) = self.0.take() else { return };
        let reset = match &mut format {
            Format::Gzip(gzip) => gzip.reset(),
            Format::Zstd(decoder) => decoder.reinit().is_ok(),
        };
        // A thread that is ending has no place for it.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && reset
                && spare.len() < MOST_SPARE
            {
                spare.push(format);
            }
        });
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Some(Format::Gzip(_)) => "Gzip",
            Some(Format::Zstd(_)) => "Zstd",
            None => "None",
        })
    }
}

fn take_spare(fits: impl Fn(&Format) -> bool) -> Option<Format> {
    SPARE.with(|spare| {
        let mut spare = spare.try_borrow_mut().ok()?;
        let at = spare.iter().position(fits)?;
        Some(spare.swap_remove(at))
    })
}

fn new_zstd() -> Option<Format> {
    let mut decoder = Decoder::new().ok()?;
    decoder.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW_LOG)).ok()?;
    Some(Format::Zstd(decoder))
}
