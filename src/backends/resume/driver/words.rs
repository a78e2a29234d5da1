//! Errors in words: whole chains of causes, and what others said, cut to a length that a log line bears.

use std::error::Error;

/// What others say is cut here.
const LONGEST: usize = 300;

/// An error with its causes, each once. The URL is left out: it may hold a password.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        cause = deeper.source();
    }
    words
}

/// The beginning of a text, on one line.
pub(super) fn beginning(text: &str) -> String {
    let line: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.trim().chars().nth(LONGEST).is_some() { format!("{line}…") } else { line }
}

/// The end of a text, on one line.
pub(super) fn end(text: &str) -> String {
    let from = text.trim().char_indices().rev().nth(LONGEST - 1).map_or(0, |(at, _)| at);
    let line = text.trim().get(from..).unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
