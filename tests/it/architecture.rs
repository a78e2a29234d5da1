//! The shape of the house: arrows point down, files stay small, names say what a thing is.
//!
//! Arrows are read from the paths that begin with `crate::` (and with `super::` in the rooms' own faces), wherever
//! they stand: in `use` lines, over several lines, within nested braces and in the code. Comments and string
//! literals do not count.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rooms of `src/` from the top down: each may import only those behind it.
///
/// It is the order of `docs/ARCHITECTURE.md`, where rooms of one floor import each other only to the right.
const ROOMS: [&str; 22] = [
    "main",
    "cli",
    "demo", // what is typed
    "app",
    "reload",
    "living", // the assembly
    "admin",
    "proxy",
    "scaling", // who is answered
    "replicas",
    "queries",
    "backends",
    "store", // what is known
    "snapshot",
    "config",
    "trino",
    "events",
    "metrics",
    "telemetry",
    "lifecycle",
    "moment",
    "profiling", // what all stand on
];

/// It stands beside the gateway, not in it: nobody's ground but the commands', on the wire's words alone.
const SIMULATOR: &str = "simulator";
const OWNERS_OF_THE_SIMULATOR: [&str; 3] = ["main", "cli", "demo"];
const GROUND_OF_THE_SIMULATOR: [&str; 1] = ["trino"];

/// A file that is longer wants to be two.
const MOST_LINES: usize = 500;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 5] = ["util", "utils", "common", "helper", "helpers"];

/// What the pure crate may stand on.
const PURE: [&str; 2] = ["globset", "thiserror"];

/// What the pure crate may not name: clocks, chance, environment, files, sockets, threads.
const IMPURE: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "tokio",
    "fastrand",
];

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for file in sources(&["src"]) {
        let from = room(&file);
        for to in rooms_named_in(&file) {
            if let Some(problem) = arrow(&from, &to) {
                wrong.push(format!("{}: {problem}", shown(&file)));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_room_has_its_place() {
    let placed = |room: &String| ROOMS.contains(&room.as_str()) || room == SIMULATOR;
    let rooms: BTreeSet<String> = sources(&["src"]).iter().map(|file| room(file)).collect();
    let wrong: Vec<_> = rooms.iter().filter(|room| *room != "lib" && !placed(room)).collect();
    assert!(
        wrong.is_empty(),
        "say in this test, and in docs/ARCHITECTURE.md, where {wrong:?} stand"
    );
}

#[test]
fn the_pure_crate_stays_pure() {
    let manifest = read(&root().join("routing/Cargo.toml"));
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let names =
        dependencies.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let foreign: Vec<&str> = names.filter(|name| !PURE.contains(name)).collect();
    assert!(foreign.is_empty(), "routing/ is pure; {foreign:?} may not be");
    let mut wrong = Vec::new();
    let is_test = |file: &PathBuf| file.ends_with("tests.rs");
    for file in sources(&["routing/src"]).into_iter().filter(|file| !is_test(file)) {
        let text = read(&file);
        // Its tests stand at the end of a file, and may race threads against each other.
        let code = code(text.split("#[cfg(test)]").next().unwrap());
        let named = IMPURE.iter().filter(|impure| {
            code.contains(&format!("{impure}::")) || code.contains(&format!("{impure};"))
        });
        wrong.extend(named.map(|impure| format!("{}: {impure}", shown(&file))));
    }
    none(&wrong);
}

#[test]
fn files_are_short_and_their_names_say_something() {
    let mut wrong = Vec::new();
    for file in sources(&["src", "routing", "tests", "benches"]) {
        let lines = read(&file).lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{}: {lines} lines", shown(&file)));
        }
        if file.file_name().unwrap() == "mod.rs" {
            wrong.push(format!("{}: call it after its folder", shown(&file)));
        }
        let parts: Vec<String> = shown(&file).split(['/', '.', '_']).map(str::to_owned).collect();
        if parts.iter().any(|part| EMPTY_NAMES.contains(&part.as_str())) {
            wrong.push(format!("{}: a name that says nothing", shown(&file)));
        }
    }
    none(&wrong);
}

#[test]
fn every_module_says_what_it_is() {
    let files = sources(&["src", "routing", "tests", "benches"]);
    let silent = files.iter().filter(|file| !read(file).trim_start().starts_with("//!"));
    none(&silent.map(|file| format!("{}: begin with //!", shown(file))).collect::<Vec<_>>());
}

/// Tests wait for states (`harness/wait.rs`), never for time to pass.
#[test]
fn no_test_sleeps() {
    let wrong = sources(&["tests"]).into_iter().filter(|file| {
        let sleeps = |(at, _): (usize, &str), code: &str| {
            let word =
                code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
            // A backend is put to `sleep()` without a time.
            let timeless = ["sleep()", "sleep(&self)"];
            !word && !timeless.iter().any(|call| code[at..].starts_with(call))
        };
        let code = code(&read(file));
        !file.ends_with("harness/wait.rs")
            && code.match_indices("sleep(").any(|hit| sleeps(hit, &code))
    });
    none(&wrong.map(|file| format!("{}: sleeps", shown(&file))).collect::<Vec<_>>());
}

/// Where the clock on the wall is read: to write a date or a name. Every deadline, age and pause is measured by the
/// steady clock, so that a clock that jumps hurries nothing and holds nothing up.
const READ_THE_WALL_CLOCK: [&str; 15] = [
    "src/admin/config.rs",                     // when the file was loaded
    "src/backends/probe.rs",                   // when a probe ended, for the status page
    "src/backends/resume/driver/xtrinode.rs",  // an annotation that XTrinode reads
    "src/backends/truth/acts.rs",              // when a resume last succeeded
    "src/events.rs",                           // when something happened
    "src/metrics/gateway.rs",                  // times that Prometheus reads
    "src/proxy.rs", // whose ids are from before this process, which are dates
    "src/proxy/connection/one_by_one/told.rs", // an answer has a date
    "src/backends/hearsay/word.rs", // which of two operators' words came later, for replicas that share no other clock
    "src/queries/room/parcel.rs",   // when a statement came, for replicas that share no other clock
    "src/proxy/statement/chosen.rs", // rules may ask for the time of day
    "src/queries/room/identity.rs", // ids are dates
    "src/queries/story.rs",         // when a query ended, for the audit
    "src/telemetry/logs/json.rs",   // `timestamp`
    "src/telemetry/traces/span.rs", // spans bear dates
];

#[test]
fn no_deadline_hangs_on_the_clock_on_the_wall() {
    let reads = |file: &Path| {
        let code = code(&read(file));
        code.contains("SystemTime::now") || code.contains("Timestamp::now")
    };
    let wrong = sources(&["src", "routing"]).into_iter().map(|file| shown(&file)).filter(|file| {
        !file.starts_with("src/simulator")
            && !file.contains("tests")
            && !READ_THE_WALL_CLOCK.contains(&file.as_str())
            && reads(&root().join(file))
    });
    none(&wrong.map(|file| format!("{file}: reads the wall clock")).collect::<Vec<_>>());
}

/// What is wrong with an arrow, if anything is.
fn arrow(from: &str, to: &str) -> Option<String> {
    let floor = |room: &str| ROOMS.iter().position(|known| *known == room);
    let may = match (from, to) {
        _ if from == to || from == "lib" => true,
        (SIMULATOR, _) => GROUND_OF_THE_SIMULATOR.contains(&to),
        (_, SIMULATOR) => OWNERS_OF_THE_SIMULATOR.contains(&from),
        // Names that are no rooms are items of the crate's root.
        _ => floor(to).is_none_or(|to| floor(from).is_some_and(|from| from < to)),
    };
    (!may).then(|| format!("{from} may not import {to}"))
}

/// The first folder or file below `src/` on the way to a file.
fn room(file: &Path) -> String {
    let below = file.strip_prefix(root().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn rooms_named_in(file: &Path) -> BTreeSet<String> {
    let code = code(&read(file));
    let mut rooms = first_names(&code, "crate");
    // In `src/x.rs`, `super` is the crate; in its inner modules it is `x`, which has no rooms in it.
    if file.parent() == Some(&root().join("src")) {
        rooms.extend(first_names(&code, "super"));
    }
    rooms
}

/// The names that follow `base::` directly, or directly within its braces.
fn first_names(code: &str, base: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let path = format!("{base}::");
    for (at, _) in code.match_indices(&path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c)) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(inner) => names.extend(heads_of_list(inner)),
            None => names.extend(head(rest)),
        }
    }
    names
}

/// The heads of a list in braces, up to its end; what stands in inner braces belongs to the head before them.
fn heads_of_list(list: &str) -> Vec<String> {
    let (mut heads, mut depth, mut item) = (Vec::new(), 0, String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(head(&std::mem::take(&mut item))),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    heads.extend(head(&item));
    heads
}

/// The identifier that a text begins with.
fn head(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The text without line comments and without what stands in string literals.
fn code(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        rest = if from.starts_with("//") {
            from.find('\n').map_or("", |end| &from[end..])
        } else if from.starts_with('"') {
            kept.push('"');
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with(['r']);
            if is_raw { after_raw(from, hashes) } else { after_literal(from) }
        } else if let Some(quoted) =
            ["'\"'", "'\\\"'", "'/'", "'\\''"].iter().find(|q| from.starts_with(**q))
        {
            &from[quoted.len()..]
        } else {
            kept.push_str(&from[..1]);
            &from[1..]
        };
    }
    kept.push_str(rest);
    kept
}

fn after_raw(from: &str, hashes: usize) -> &str {
    let end = format!("\"{}", "#".repeat(hashes));
    from[1..].find(&end).map_or("", |at| &from[1 + at + end.len()..])
}

fn after_literal(from: &str) -> &str {
    let mut escaped = false;
    for (at, c) in from.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &from[at + 1..],
            _ => {}
        }
    }
    ""
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

/// All Rust files in these folders of the house that exist.
fn sources(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

mod of_itself {
    //! The reader of arrows reads arrows.

    use super::*;

    #[test]
    fn names_are_found_in_every_shape_of_a_path() {
        let text = "use crate::{\n    admin::{self, listener::{Limits, proxy}},\n    app,\n};\n\
                    use crate::trino::marker;\nfn f(x: &crate::snapshot::Group) { my_crate::config::x(); }\n\
                    // crate::proxy\nconst X: &str = \"crate::demo::x\"; const Y: &str = r#\"\"crate::cli\"#;";
        let names = first_names(&code(text), "crate");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["admin", "app", "snapshot", "trino"]);
    }

    #[test]
    fn an_arrow_that_points_up_is_told() {
        assert_eq!(arrow("proxy", "queries"), None);
        assert_eq!(arrow("admin", "proxy"), None);
        assert_eq!(arrow("proxy", "admin").unwrap(), "proxy may not import admin");
        assert!(arrow("trino", "config").is_some());
        assert!(arrow("simulator", "metrics").is_some());
        assert!(arrow("proxy", "simulator").is_some());
        assert_eq!(arrow("demo", "simulator"), None);
    }
}
