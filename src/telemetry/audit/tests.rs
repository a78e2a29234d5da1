//! The audit against real files: order, a full queue, a moved file, a full disk.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::lifecycle::{Check, Lifecycle};

#[derive(Clone, Debug, Default)]
struct Counts(Arc<[AtomicU64; 4]>);

impl Tally for Counts {
    fn written(&self, records: u64) {
        self.0[0].fetch_add(records, Relaxed);
    }
    fn failed(&self, records: u64) {
        self.0[1].fetch_add(records, Relaxed);
    }
    fn dropped(&self, records: u64) {
        self.0[2].fetch_add(records, Relaxed);
    }
    fn waiting(&self, records: u64) {
        self.0[3].store(records, Relaxed);
    }
}

impl Counts {
    fn now(&self) -> [u64; 4] {
        [0, 1, 2, 3].map(|at| self.0[at].load(Relaxed))
    }
}

#[derive(Debug)]
struct Plain;

impl Line for Plain {
    fn write(&self, seq: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("line {seq}\n").as_bytes());
    }
}

/// Holds the writer until it is let go.
#[derive(Debug)]
struct Stuck(Arc<AtomicBool>, Arc<AtomicBool>);

impl Line for Stuck {
    fn write(&self, _: u64, out: &mut Vec<u8>) {
        self.1.store(true, Relaxed);
        while !self.0.load(Relaxed) {
            std::thread::yield_now();
        }
        out.extend_from_slice(b"stuck\n");
    }
}

fn options(path: PathBuf, queue: usize, block: bool) -> Options {
    Options { path, queue, block, fsync: false }
}

fn part() -> (Lifecycle, Part) {
    let lifecycle = Lifecycle::new();
    let part = lifecycle.part(Check::Audit, "file");
    (lifecycle, part)
}

fn audit_word(lifecycle: &Lifecycle) -> &'static str {
    let checks = lifecycle.readiness().checks;
    checks.iter().find(|(check, _)| *check == Check::Audit).unwrap().1
}

#[test]
fn records_are_whole_lines_in_the_order_of_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (counts, (_lifecycle, part)) = (Counts::default(), part());
    let (audit, tail) =
        Audit::start(&options(path.clone(), 5000, false), Box::new(counts.clone()), part).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| audit.record(Box::new(Plain))));
        }
    });
    drop(tail);
    let expected: String = (1..=1000).map(|seq| format!("line {seq}\n")).collect();
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    assert_eq!(counts.now(), [1000, 0, 0, 0]);
}

#[test]
fn a_full_queue_drops_and_counts_and_the_gap_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (counts, (_lifecycle, part)) = (Counts::default(), part());
    let (audit, tail) =
        Audit::start(&options(path.clone(), 2, false), Box::new(counts.clone()), part).unwrap();
    let (open, reached) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    audit.record(Box::new(Stuck(Arc::clone(&open), Arc::clone(&reached))));
    while !reached.load(Relaxed) {
        std::thread::yield_now();
    }
    (0..5).for_each(|_| audit.record(Box::new(Plain)));
    assert_eq!(counts.now(), [0, 0, 3, 3]);
    open.store(true, Relaxed);
    drop(tail);
    audit.record(Box::new(Plain));
    drop(Tail(audit.entries.clone()));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "stuck\nline 2\nline 3\nline 7\n");
    assert_eq!(counts.now(), [4, 0, 3, 0]);
}

#[test]
fn who_may_not_lose_a_record_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (counts, (_lifecycle, part)) = (Counts::default(), part());
    let (audit, tail) =
        Audit::start(&options(path.clone(), 1, true), Box::new(counts.clone()), part).unwrap();
    (0..100).for_each(|_| audit.record(Box::new(Plain)));
    drop(tail);
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 100);
    assert_eq!(counts.now(), [100, 0, 0, 0]);
}

#[test]
fn a_moved_file_is_followed_until_it_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("audit.jsonl"), folder.path().join("audit.1"));
    let (_lifecycle, part) = part();
    let (audit, tail) =
        Audit::start(&options(path.clone(), 10, false), Box::new(Counts::default()), part).unwrap();
    audit.record(Box::new(Plain));
    let flush = || drop(Tail(audit.entries.clone()));
    flush();
    std::fs::rename(&path, &moved).unwrap();
    audit.record(Box::new(Plain));
    // What stands in the queue goes to whichever file is open when the thread comes to it.
    flush();
    audit.reopen();
    audit.record(Box::new(Plain));
    drop(tail);
    assert_eq!(std::fs::read_to_string(moved).unwrap(), "line 1\nline 2\n");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "line 3\n");
}

#[test]
fn a_disk_that_takes_nothing_is_counted_and_told_to_readiness() {
    let (counts, (lifecycle, part)) = (Counts::default(), part());
    let full = PathBuf::from("/dev/full");
    let (audit, tail) =
        Audit::start(&options(full, 10, false), Box::new(counts.clone()), part).unwrap();
    assert_eq!(audit_word(&lifecycle), "ok");
    audit.record(Box::new(Plain));
    drop(tail);
    assert_eq!(counts.now(), [0, 1, 0, 0]);
    assert_eq!(audit_word(&lifecycle), "unwritable");
}

#[test]
fn obs_a2_a_path_that_cannot_be_written_is_named() {
    let (_lifecycle, part) = part();
    let path = PathBuf::from("/nowhere/at/all/audit.jsonl");
    let error =
        Audit::start(&options(path, 1, false), Box::new(Counts::default()), part).unwrap_err();
    assert!(error.to_string().contains("/nowhere/at/all/audit.jsonl"), "{error}");
}
