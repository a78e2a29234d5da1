//! What is wrong with the file before any key is read.

use std::path::PathBuf;

use super::*;

/// The problems of a file with these bytes, its folder cut off.
fn bytes(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    std::fs::write(&path, content).unwrap();
    let problems = load(&path).unwrap_err();
    problems.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_file_is_named_by_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.yaml");
    std::fs::write(&path, GROUPS).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.hash.len(), "sha256:".len() + 64);
    assert_eq!(loaded.hash, load(&path).unwrap().hash);
    std::fs::write(&path, format!("{GROUPS}# more\n")).unwrap();
    assert_ne!(loaded.hash, load(&path).unwrap().hash);
}

#[test]
fn a_file_that_is_not_there_is_told_by_name() {
    let missing = load(&PathBuf::from("no/such/sluice.yaml")).unwrap_err();
    assert!(missing.is_unreadable());
    assert!(missing.to_string().starts_with("no/such/sluice.yaml: cannot be read: "), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let directory = load(folder.path()).unwrap_err();
    assert!(
        directory.to_string().ends_with(": is a directory; name the file in it"),
        "{directory}"
    );
    let device = load(&PathBuf::from("/dev/zero")).unwrap_err();
    assert!(device.to_string().ends_with(": is no regular file"), "{device}");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let huge = "# padding\n".repeat(500_000);
    assert_eq!(bytes(huge.as_bytes()), "sluice.yaml: is larger than 4 MiB");
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let words = bytes(b"data:\n  \xc3\xa4\xff: 1\n");
    assert_eq!(words, "sluice.yaml:2:4: the bytes here are not UTF-8 (allowed: UTF-8 text)");
}

#[test]
fn an_empty_file_lacks_its_groups() {
    for empty in ["", "\n\n", "# only a comment\n", "---\n", "~", "{}"] {
        let words = wrong(empty);
        assert_eq!(words.len(), 1, "{empty:?}: {words:?}");
        assert!(words[0].contains("`routingGroups` is missing"), "{words:?}");
    }
}

#[test]
fn a_file_that_is_no_mapping_is_refused() {
    for (text, kind) in [("- a\n- b\n", "a list"), ("just text\n", "text"), ("42\n", "a number")] {
        let words = wrong(text);
        assert_eq!(words.len(), 1, "{words:?}");
        assert!(words[0].contains(&format!("{kind} does not belong here")), "{words:?}");
    }
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    for (text, place, words) in [
        ("data:\n\tbind: x\n", "2:2", "tabs"),
        ("a: [1, 2\n", "1:4", "unclosed bracket"),
        ("a: \"open", "1:4", "unclosed quote"),
        ("a: b: c\n", "1:5", "mapping values are not allowed"),
        ("a: @x\n", "1:4", "unexpected character"),
        ("data: {}\n---\ndata: {}\n", "3:1", "a second YAML document"),
        ("a: *nothing\n", "1:4", "no YAML"),
        ("? [a]\n: b\n", "1:3", "no YAML"),
    ] {
        let told = wrong(text);
        assert_eq!(told.len(), 1, "{text:?}: {told:?}");
        assert!(told[0].starts_with(&format!("sluice.yaml:{place}: ")), "{text:?}: {told:?}");
        assert!(told[0].contains(words), "{text:?}: {told:?}");
    }
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let mut aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{},", level - 1).repeat(9);
        aliases.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let flow = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    let block: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for bomb in [aliases, flow, block] {
        let told = wrong(&bomb);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("too large or too deep") || told[0].contains("no YAML"),
            "{told:?}"
        );
        assert!(told[0].len() < 300, "{told:?}");
    }
}

#[test]
fn a_repeated_key_does_not_hide_the_rest() {
    let told = wrong(&format!("log: {{}}\nlog: {{}}\nbogus: 1\n{GROUPS}"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("sluice.yaml:2:1: the key `log` is here a second time"),
        "{told:?}"
    );
    assert!(told[1].starts_with("sluice.yaml:3:1: bogus: unknown key"), "{told:?}");
    let told = wrong("log: {}\nlog: {}\na: [\n");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("no YAML"), "{told:?}");
}
