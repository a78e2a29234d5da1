//! Where the rules put what they find, and what they ask about names.

use std::collections::HashMap;

use crate::config::{
    nearest,
    problem::Problem,
    shape::STAND_IN,
    tree::{self, Node, Trail, Value},
};

/// Collects problems with their places, and stays silent about values that are broken already.
pub(super) struct Report<'a> {
    tree: &'a Node,
    broken: Vec<String>,
    found: &'a mut Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(tree: &'a Node, found: &'a mut Vec<Problem>) -> Self {
        let broken = found.iter().map(|problem| problem.path.clone());
        Self { tree, broken: broken.filter(|path| !path.is_empty()).collect(), found }
    }

    /// Adds a problem, unless the value, what holds it or what it holds is broken already.
    pub(super) fn wrong(
        &mut self,
        trail: &Trail,
        what: impl Into<String>,
        allowed: impl Into<String>,
    ) {
        let path = trail.to_string();
        if !self.broken.iter().any(|broken| holds(broken, &path) || holds(&path, broken)) {
            self.found.push(Problem::at(self.tree.nearest(trail), path, what, allowed));
        }
    }

    /// Whether the file gives this value itself; else it is a default.
    pub(super) fn has(&self, trail: &Trail) -> bool {
        self.tree.has(trail)
    }

    /// Whether this value could not be used, so that a default or nothing stands in its place.
    pub(super) fn is_broken(&self, trail: &Trail) -> bool {
        let path = trail.to_string();
        self.broken.iter().any(|broken| holds(broken, &path))
    }

    /// The value in quotes, as the file has it.
    pub(super) fn quoted(&self, trail: &Trail, value: &str) -> String {
        match &self.tree.nearest(trail).value {
            Value::Text(text) => text.quoted(),
            _ => tree::quoted(value),
        }
    }

    /// The line of a value.
    fn line(&self, trail: &Trail) -> u32 {
        self.tree.nearest(trail).line
    }
}

/// Whether `outer` is `inner` or holds it.
fn holds(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Whether a text only stands in for one that was broken or missing.
pub(super) fn is_stand_in(text: &str) -> bool {
    text.starts_with(STAND_IN)
}

/// Values of which each may stand in the file once.
#[derive(Default)]
pub(super) struct Once {
    seen: HashMap<String, Trail>,
}

impl Once {
    /// Takes a value; reports it if it was taken before. `kind`: what it is, such as `backend name`.
    pub(super) fn take(&mut self, kind: &str, value: &str, trail: &Trail, report: &mut Report<'_>) {
        if let Some(first) = self.seen.get(value) {
            let quoted = report.quoted(trail, value);
            let line = report.line(first);
            let what = format!("the {kind} {quoted} stands at line {line} already ({first})");
            report.wrong(trail, what, format!("each {kind} once"));
        } else {
            self.seen.insert(value.to_owned(), trail.clone());
        }
    }
}

/// The names of the routing groups, for those who refer to them.
pub(super) struct Names<'a> {
    names: Vec<&'a str>,
    whole: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.collect();
        // With a broken name among them, nobody knows whether it was the one meant.
        let whole = !names.is_empty() && !names.iter().any(|name| is_stand_in(name));
        Self { names, whole }
    }

    /// Reports a name that is none of theirs; `also` is allowed besides.
    pub(super) fn expect(
        &self,
        name: &str,
        also: &[&'a str],
        trail: &Trail,
        report: &mut Report<'_>,
    ) {
        let known = || self.names.iter().chain(also).copied();
        if self.whole && !known().any(|known| known == name) {
            let hint = nearest::hint(name, known());
            let what = format!("no routing group is named {}{hint}", report.quoted(trail, name));
            report.wrong(trail, what, known().collect::<Vec<_>>().join(", "));
        }
    }
}
