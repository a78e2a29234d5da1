//! The file of keys that seal what leaves the process with credentials in it: one key a line, in hex or base64.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A key of AES-256.
pub(crate) type SealingKey = [u8; KEY_BYTES];

const KEY_BYTES: usize = 32;

/// More is no file of keys.
const MOST_BYTES: u64 = 64 * 1024;

/// The keys in the order of the file; fails with words that quote nothing of it.
pub(crate) fn read(path: &Path) -> Result<Vec<SealingKey>, String> {
    let shown = path.display();
    let unreadable = |error| format!("cannot read `{shown}`: {error}");
    let meta = fs::metadata(path).map_err(unreadable)?;
    if meta.len() > MOST_BYTES {
        return Err(format!("`{shown}` is too long for a file of keys"));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let keys: Result<Vec<SealingKey>, String> = lines
        .map(|(at, line)| {
            key(line).ok_or_else(|| format!("line {} of `{shown}` is no key of 32 bytes", at + 1))
        })
        .collect();
    match keys? {
        keys if keys.is_empty() => Err(format!("there is no key in `{shown}`")),
        keys => Ok(keys),
    }
}

fn key(line: &str) -> Option<SealingKey> {
    let bytes = hex(line).or_else(|| STANDARD.decode(line).ok())?;
    bytes.try_into().ok()
}

fn hex(line: &str) -> Option<Vec<u8>> {
    if line.len() != 2 * KEY_BYTES || !line.is_ascii() {
        return None;
    }
    (0..KEY_BYTES).map(|at| u8::from_str_radix(line.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Vec<SealingKey>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    #[test]
    fn hex_and_base64_are_read_in_order() {
        let base64 = STANDARD.encode([7; KEY_BYTES]);
        let text = format!("\n {}  \n{base64}\n", "0a".repeat(KEY_BYTES));
        assert_eq!(keys(&text).unwrap(), [[10; KEY_BYTES], [7; KEY_BYTES]]);
    }

    #[test]
    fn what_is_no_key_is_told_by_its_line_and_not_quoted() {
        let wrong = keys(&format!("{}\nhunter2", "0a".repeat(KEY_BYTES))).unwrap_err();
        assert!(wrong.starts_with("line 2 of `") && !wrong.contains("hunter2"), "{wrong}");
        assert!(keys("").unwrap_err().starts_with("there is no key"));
        assert!(keys(&"x".repeat(70_000)).unwrap_err().contains("too long"));
        assert!(read(Path::new("/nowhere")).unwrap_err().starts_with("cannot read"));
    }
}
