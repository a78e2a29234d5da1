//! The audit file: whole lines, written by a thread of its own from a bounded queue.
//!
//! Nobody who serves a client touches the disk. What finds the queue full is dropped and counted, or waits if the
//! configuration says so; what the disk does not take is counted, and a line that was half written is taken back.
//! The first file must open, or the gateway does not start; later the gateway serves on, whatever becomes of it.
//! What a record says is not known here, and neither is where things are counted ([`Tally`]).

use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    time::Duration,
};

use crate::lifecycle::Part;

mod file;
mod writer;

use file::File;
use writer::Writer;

/// How long the end of the process waits for the last records.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// How long `onFull: block` holds up an end, and with it all that its thread serves: a disk that hangs must not hang
/// the gateway.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Between two tries to put something into a queue that is full.
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Where and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file.
    pub path: PathBuf,
    /// Records that may wait.
    pub queue: usize,
    /// Whether who finds the queue full waits.
    pub block: bool,
    /// Whether each batch is forced to the disk.
    pub fsync: bool,
}

/// One record, which knows how it is written.
pub trait Line: Send + fmt::Debug {
    /// Appends the record with its line feed.
    fn write(&self, seq: u64, out: &mut Vec<u8>);
}

/// Who counts what becomes of the records.
pub trait Tally: Send + Sync + fmt::Debug {
    /// So many are in the file.
    fn written(&self, records: u64);
    /// So many the disk did not take.
    fn failed(&self, records: u64);
    /// So many found the queue full.
    fn dropped(&self, records: u64);
    /// So many wait.
    fn waiting(&self, records: u64);
}

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the audit file {} (audit.path): {cause}", path.display())]
pub struct Unwritable {
    /// The file.
    pub path: PathBuf,
    /// The system's words.
    pub cause: io::Error,
}

enum Entry {
    Line(u64, Box<dyn Line>),
    /// Look whether the file was moved.
    Look,
    Flush(SyncSender<()>),
}

/// Where records are put.
#[derive(Debug)]
pub struct Audit {
    /// The number of the next record, given in the order of the queue: a gap in the file is a loss.
    next: Mutex<u64>,
    entries: SyncSender<Entry>,
    block: bool,
    shared: Arc<Loss>,
}

/// What both ends know.
#[derive(Debug)]
struct Loss {
    tally: Box<dyn Tally>,
    waiting: AtomicU64,
    /// Whether the file is to be opened anew.
    moved: AtomicBool,
    /// Found the queue full since that was last told.
    full: AtomicU64,
}

/// Waits at its end until what was recorded has been written.
#[derive(Debug)]
pub struct Tail(SyncSender<Entry>);

impl Audit {
    /// Opens the file and starts the thread; `part` tells readiness how the file fares.
    pub fn start(
        options: &Options,
        tally: Box<dyn Tally>,
        part: Part,
    ) -> Result<(Self, Tail), Unwritable> {
        let unwritable = |cause| Unwritable { path: options.path.clone(), cause };
        let file = File::open(&options.path, options.fsync).map_err(unwritable)?;
        let (entries, taken) = mpsc::sync_channel(options.queue);
        let shared = Arc::new(Loss {
            tally,
            waiting: AtomicU64::new(0),
            moved: AtomicBool::new(false),
            full: AtomicU64::new(0),
        });
        let writer = Writer::new(file, part, Arc::clone(&shared));
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&taken))
            .map_err(unwritable)?;
        let tail = Tail(entries.clone());
        Ok((Self { next: Mutex::new(1), entries, block: options.block, shared }, tail))
    }

    /// Takes a record.
    pub fn record(&self, line: Box<dyn Line>) {
        // Held while it is sent, so that numbers and lines come in one order.
        let Ok(mut next) = self.next.lock() else { return };
        let entry = Entry::Line(*next, line);
        *next = next.saturating_add(1);
        self.shared.came();
        let taken = match self.entries.try_send(entry) {
            Err(TrySendError::Full(entry)) if self.block => self.insist(entry),
            outcome => outcome.is_ok(),
        };
        if !taken {
            self.shared.went(1);
            self.shared.full.fetch_add(1, Relaxed);
            self.shared.tally.dropped(1);
        }
    }

    /// Waits for room, and with the thread all that it serves; not for ever, since a disk that hangs would hold up all.
    fn insist(&self, mut entry: Entry) -> bool {
        let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
        while tokio::time::Instant::now() < deadline {
            std::thread::park_timeout(BETWEEN_TRIES);
            match self.entries.try_send(entry) {
                Err(TrySendError::Full(unsent)) => entry = unsent,
                outcome => return outcome.is_ok(),
            }
        }
        false
    }

    /// The file was moved: a new one is begun under the old name before the next line is written.
    pub fn reopen(&self) {
        self.shared.moved.store(true, Relaxed);
        // So that an idle writer does it now; one whose queue is full will look by itself.
        let _ = self.entries.try_send(Entry::Look);
    }
}

impl Loss {
    fn came(&self) {
        self.tally.waiting(self.waiting.fetch_add(1, Relaxed).saturating_add(1));
    }

    fn went(&self, records: u64) {
        self.tally.waiting(self.waiting.fetch_sub(records, Relaxed).saturating_sub(records));
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let (done, written) = mpsc::sync_channel(1);
        let deadline = tokio::time::Instant::now() + LAST_RECORDS;
        let mut entry = Entry::Flush(done);
        while let Err(TrySendError::Full(unsent)) = self.0.try_send(entry) {
            if tokio::time::Instant::now() >= deadline {
                return;
            }
            entry = unsent;
            std::thread::park_timeout(BETWEEN_TRIES);
        }
        let _ =
            written.recv_timeout(deadline.saturating_duration_since(tokio::time::Instant::now()));
    }
}

/// What the writer reads from.
type Entries = Receiver<Entry>;

#[cfg(test)]
mod tests;
