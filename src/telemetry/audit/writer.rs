//! The audit's thread: takes what waits, writes it in one go, counts what became of it.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed, mpsc::RecvTimeoutError},
    time::Duration,
};

use tokio::time::Instant;

use super::{Entries, Entry, Loss, file::File};
use crate::lifecycle::Part;

/// Records of one write: enough that a busy gateway is not held up by system calls, few enough to bound what a full
/// disk costs.
const BATCH: usize = 256;

/// Bytes of one write after which no more records are added.
const BATCH_BYTES: usize = 1 << 20;

/// Between two words on lost records, and between two tries to open the file anew.
const BETWEEN_COMPLAINTS: Duration = Duration::from_secs(10);

/// Who writes.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    part: Part,
    shared: Arc<Loss>,
    out: Vec<u8>,
    /// Records in `out`.
    records: u64,
    /// Not taken by the disk since that was last told, and the disk's words.
    failed: u64,
    words: String,
    complained: Option<Instant>,
    /// The file is to be opened anew, and could not be.
    stale: bool,
}

impl Writer {
    pub(super) fn new(file: File, part: Part, shared: Arc<Loss>) -> Self {
        part.ready();
        Self {
            file,
            part,
            shared,
            out: Vec::new(),
            records: 0,
            failed: 0,
            words: String::new(),
            complained: None,
            stale: false,
        }
    }

    /// Writes until nobody can record any more.
    pub(super) fn run(mut self, entries: &Entries) {
        loop {
            match entries.recv_timeout(BETWEEN_COMPLAINTS) {
                Ok(entry) => {
                    self.look();
                    self.take(entry);
                    while self.records < BATCH as u64 && self.out.len() < BATCH_BYTES {
                        let Ok(entry) = entries.try_recv() else { break };
                        self.take(entry);
                    }
                    self.flush();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.complain();
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Line(seq, line) => {
                line.write(seq, &mut self.out);
                self.records += 1;
            }
            Entry::Look => self.look(),
            Entry::Flush(done) => {
                self.flush();
                let _ = done.try_send(());
            }
        }
    }

    /// What was taken before the file was moved belongs into the old one.
    fn look(&mut self) {
        if self.shared.moved.swap(false, Relaxed) {
            self.flush();
            self.reopen();
        }
    }

    fn reopen(&mut self) {
        match self.file.reopen() {
            Ok(()) => self.stale = false,
            Err(cause) => {
                if !std::mem::replace(&mut self.stale, true) {
                    tracing::error!(event = "audit_reopen_failed", error = %cause, "the audit file cannot be opened anew");
                }
                self.part.failed("unwritable");
            }
        }
    }

    fn flush(&mut self) {
        let records = std::mem::take(&mut self.records);
        if records == 0 {
            return;
        }
        if self.stale {
            self.reopen();
        }
        match self.file.append(&self.out) {
            Ok(()) => {
                self.shared.tally.written(records);
                if !self.stale {
                    self.part.ready();
                }
            }
            Err(cause) => {
                self.failed += records;
                self.words = cause.to_string();
                self.shared.tally.failed(records);
                self.part.failed("unwritable");
            }
        }
        self.out.clear();
        self.shared.went(records);
    }

    /// Tells of lost records, at most once in a while.
    fn complain(&mut self) {
        if self.complained.is_some_and(|last| last.elapsed() < BETWEEN_COMPLAINTS) {
            return;
        }
        let full = self.shared.full.swap(0, Relaxed);
        let failed = std::mem::take(&mut self.failed);
        for (count, reason, words) in
            [(full, "queue_full", ""), (failed, "write_error", self.words.as_str())]
        {
            if count > 0 {
                self.complained = Some(Instant::now());
                tracing::error!(
                    event = "audit_dropped",
                    count,
                    reason,
                    error = words,
                    "audit records were lost"
                );
            }
        }
    }
}
