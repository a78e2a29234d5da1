//! pprof's own form: the protobuf `perftools.profiles.Profile`, in gzip as all its readers expect.
//!
//! Only what a reader needs is written; numbers in brackets are those of `profile.proto`. A location is one function at
//! one line, since inlined ones have been taken apart before.

use std::{io::Write as _, time::UNIX_EPOCH};

use ahash::AHashMap;
use flate2::{Compression, write::GzEncoder};

use crate::profiling::{Frame, Profile};

/// The only mapping: the program, whose functions are named already.
const PROGRAM: u64 = 1;

impl Profile {
    /// For `go tool pprof` and its kin.
    pub fn pprof(&self) -> std::io::Result<Vec<u8>> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&Tables::of(self).0)?;
        gzip.finish()
    }
}

/// Strings, functions and locations, each once; the message is ready when all samples went in.
struct Tables(Vec<u8>);

#[derive(Default)]
struct Strings<'a> {
    places: AHashMap<&'a str, u64>,
    all: Vec<&'a str>,
}

impl<'a> Strings<'a> {
    fn place(&mut self, text: &'a str) -> u64 {
        *self.places.entry(text).or_insert_with(|| {
            self.all.push(text);
            self.all.len() as u64 - 1
        })
    }
}

impl Tables {
    fn of(profile: &Profile) -> Self {
        let mut strings = Strings::default();
        let mut functions: AHashMap<(&str, &str), u64> = AHashMap::new();
        let mut locations: AHashMap<&Frame, u64> = AHashMap::new();
        let mut out = Vec::new();
        strings.place("");
        for (kind, unit) in [("samples", "count"), ("cpu", "nanoseconds")] {
            let value = value_type(strings.place(kind), strings.place(unit));
            message(&mut out, 1, &value);
        }
        let period = nanos(profile.period.as_nanos());
        let thread = strings.place("thread");
        for stack in &profile.stacks {
            let mut ids = Vec::new();
            for frame in &stack.frames {
                let next = locations.len() as u64 + 1;
                varint(&mut ids, *locations.entry(frame).or_insert(next));
            }
            let mut values = Vec::new();
            varint(&mut values, stack.count);
            varint(&mut values, stack.count.saturating_mul(period));
            let mut label = Vec::new();
            number(&mut label, 1, thread);
            number(&mut label, 2, strings.place(&stack.thread));
            let mut sample = Vec::new();
            message(&mut sample, 1, &ids);
            message(&mut sample, 2, &values);
            message(&mut sample, 3, &label);
            message(&mut out, 2, &sample);
        }
        message(&mut out, 3, &program(strings.place("sluice")));
        for (frame, id) in &locations {
            let next = functions.len() as u64 + 1;
            let key = (frame.function.as_str(), frame.file.as_str());
            let function = *functions.entry(key).or_insert(next);
            message(&mut out, 4, &location(*id, function, frame.line));
        }
        for ((name, file), id) in &functions {
            let (name, file) = (strings.place(name), strings.place(file));
            message(&mut out, 5, &function(*id, name, file));
        }
        let kind = value_type(strings.place("cpu"), strings.place("nanoseconds"));
        strings.all.iter().for_each(|text| message(&mut out, 6, text.as_bytes()));
        let began = profile.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        number(&mut out, 9, nanos(began.as_nanos()));
        number(&mut out, 10, nanos(profile.took.as_nanos()));
        message(&mut out, 11, &kind);
        number(&mut out, 12, period);
        Self(out)
    }
}

fn value_type(kind: u64, unit: u64) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, kind);
    number(&mut out, 2, unit);
    out
}

/// Says that functions, files and lines are known, so that no reader looks for the binary.
fn program(name: u64) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, PROGRAM);
    number(&mut out, 5, name);
    [7, 8, 9].into_iter().for_each(|known| number(&mut out, known, 1));
    out
}

fn location(id: u64, function: u64, line: u32) -> Vec<u8> {
    let mut at = Vec::new();
    number(&mut at, 1, function);
    number(&mut at, 2, line.into());
    let mut out = Vec::new();
    number(&mut out, 1, id);
    number(&mut out, 2, PROGRAM);
    message(&mut out, 4, &at);
    out
}

fn function(id: u64, name: u64, file: u64) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, id);
    number(&mut out, 2, name);
    number(&mut out, 3, name);
    number(&mut out, 4, file);
    out
}

/// A field of wire type 0.
fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

/// A field of wire type 2: a message, a text, or packed numbers.
fn message(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, the lowest first; the eighth says that more come.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn nanos(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
