//! The tables, printed and kept: a file of sections, each of which is one command's last word.

use std::{fs, time::SystemTime};

use crate::Options;

/// Prints what was measured; writes it under `title` into the file that was asked for, in the place of what stood there.
pub(crate) fn tell(options: &Options, title: &str, parts: &[&str]) {
    println!("{}", parts.join("\n\n"));
    let Some(file) = &options.results else { return };
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let date = httpdate::fmt_http_date(SystemTime::now());
    let section = format!(
        "## {title}\n\n- {date}\n- `cargo bench --bench compare -- {}`\n{}\n",
        words.join(" "),
        parts.join("\n\n").trim_end()
    );
    let before = fs::read_to_string(file).unwrap_or_default();
    fs::write(file, replaced(&before, title, &section)).expect("a file of results");
}

/// The text with that section in the place of the one of the same title, or at its end.
fn replaced(text: &str, title: &str, section: &str) -> String {
    let heading = format!("## {title}\n");
    let Some(begin) = text.find(&heading) else {
        return format!("{}\n\n{section}", text.trim_end());
    };
    let (before, rest) = text.split_at(begin);
    match rest.find("\n## ") {
        Some(end) => format!("{before}{section}{}", &rest[end..]),
        None => format!("{before}{section}"),
    }
}
