//! What is written for readers is true: every configuration that a page shows is one that Sluice takes.

use std::{collections::HashMap, fs, path::Path};

use sluice::config::{self, model::Config};

#[test]
fn the_readme_shows_a_good_configuration_of_five_lines() {
    let shown = blocks("README.md", "yaml");
    let first = shown.first().expect("README.md shows a configuration");
    assert!(first.lines().count() <= 5, "it is longer than five lines:\n{first}");
    for block in &shown {
        let config = good("README.md", block);
        assert!(!config.routing_groups.is_empty());
    }
}

#[test]
fn the_example_is_good() {
    let config = good("sluice.example.yaml", &page("sluice.example.yaml"));
    assert_eq!(config.routing_groups.len(), 2);
    assert_eq!(config.rules.len(), 2);
}

#[test]
fn the_map_of_the_house_shows_every_room() {
    let readme = page("README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.trim_end_matches(".rs");
        assert!(readme.contains(room), "the map of README.md does not show `{room}`");
    }
}

fn good(name: &str, text: &str) -> Config {
    config::from_text(text, &HashMap::new())
        .unwrap_or_else(|problems| panic!("{name}: {problems}\n{text}"))
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The fenced blocks of a language.
fn blocks(name: &str, language: &str) -> Vec<String> {
    let page = page(name);
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}
