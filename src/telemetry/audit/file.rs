//! A file of whole lines: what could not be written whole is taken back.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The audit's file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    fsync: bool,
    file: fs::File,
    /// Whether a broken line may stand at the end, which could not be taken back.
    torn: bool,
}

impl File {
    /// Opens it for appending; it is made if it is not there, and its folder is not.
    pub(super) fn open(path: &Path, fsync: bool) -> io::Result<Self> {
        let file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), fsync, file, torn: false })
    }

    /// Begins a new file under the old name; the present one stays if that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(&self.path, self.fsync)?;
        Ok(())
    }

    /// Writes whole lines, all of them or none.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let written = self.put(lines);
        if written.is_err() {
            self.torn = self.file.set_len(before).is_err();
        }
        written
    }

    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.torn) {
            self.file.write_all(b"\n")?;
        }
        self.file.write_all(lines)?;
        if self.fsync { self.file.sync_data() } else { Ok(()) }
    }
}
