//! The commands `sluice check` and `sluice schema`, writing where they are told to.

use std::{io, io::Write, path::Path};

use crate::config::{self, markdown, model::Config, schema};

/// Writes every problem of the file, a line each, or its warnings and one line that says what it holds; true if it has
/// no problem.
pub fn check_command(path: &Path, out: &mut impl Write) -> io::Result<bool> {
    match config::load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                writeln!(out, "{}:{warning} (a warning)", path.display())?;
            }
            writeln!(out, "{}: ok ({})", path.display(), summary(&loaded.config))?;
            Ok(true)
        }
        Err(problems) => {
            writeln!(out, "{problems}")?;
            Ok(false)
        }
    }
}

/// Writes the JSON Schema of the file, or the same as a page for people.
pub fn schema_command(for_people: bool, out: &mut impl Write) -> io::Result<()> {
    let text = if for_people { markdown::markdown() } else { schema::schema() };
    out.write_all(text.as_bytes())
}

/// `2 groups, 3 backends, 1 rule`
pub fn summary(config: &Config) -> String {
    let backends = config.routing_groups.iter().map(|group| group.backends.len()).sum();
    [
        counted(config.routing_groups.len(), "group"),
        counted(backends, "backend"),
        counted(config.rules.len(), "rule"),
    ]
    .join(", ")
}

fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sluice.yaml");
        std::fs::write(&path, text).unwrap();
        let mut out = Vec::new();
        let fine = check_command(&path, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        (fine, out.replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn a_file_without_a_problem_is_counted() {
        let text = "routingGroups:\n  - name: a\n    backends: [{name: a, url: 'http://a'}, {name: b, url: 'http://b'}]\n";
        assert_eq!(
            check(text),
            (true, "/sluice.yaml: ok (1 group, 2 backends, 0 rules)\n".to_owned())
        );
    }

    #[test]
    fn a_certificate_that_nobody_looks_at_is_a_warning_with_its_place() {
        let text = "routingGroups:\n  - name: a\n    backends:\n      - name: a\n        url: https://a\n        tls:\n          insecureSkipVerify: true\n";
        let (fine, out) = check(text);
        assert!(fine, "{out}");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 2, "{out}");
        let place = "/sluice.yaml:7:31: routingGroups[0].backends[0].tls.insecureSkipVerify: ";
        assert!(lines[0].starts_with(place) && lines[0].ends_with("(a warning)"), "{out}");
        assert!(check(&text.replace("true", "false")).1.starts_with("/sluice.yaml: ok"));
    }

    #[test]
    fn every_problem_is_a_line_with_its_place() {
        let (fine, out) = check("bogus: 1\nrules: 5\n");
        assert!(!fine);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 3, "{out}");
        assert!(lines.iter().any(|line| line.starts_with("/sluice.yaml:1:1: bogus: unknown key")));
        assert!(lines.iter().any(|line| line.starts_with("/sluice.yaml:1:1: routingGroups: ")));
        assert!(lines.iter().any(|line| line.starts_with("/sluice.yaml:2:8: rules: ")));
    }

    #[test]
    fn the_schema_is_json() {
        let mut out = Vec::new();
        schema_command(false, &mut out).unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["routingGroups"]));
    }
}
