//! A file's values before they mean anything, each with its place.
//!
//! The tree exists so that every mistake of a file can be told at once: serde stops at the first.

use std::fmt;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) value: Value,
}

/// What YAML's core schema makes of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(Text),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Told as a problem already, so nobody complains again.
    Broken,
}

/// A text, perhaps with parts of the environment in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// With `${ENV:NAME}` filled in.
    pub(crate) value: String,
    /// As the file has it, if something was filled in: what may be shown.
    pub(crate) written: Option<String>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) node: Node,
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
            }
            _ => None,
        }
    }

    /// Whether it holds keys, or nothing at all.
    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Map(_) | Value::Null)
    }

    /// The deepest node on the way of a trail; its end, if everything on the way exists.
    pub(crate) fn nearest(&self, trail: &Trail) -> &Node {
        let mut node = self;
        for step in &trail.0 {
            match node.step(step) {
                Some(next) => node = next,
                None => return node,
            }
        }
        node
    }

    /// Whether everything on the way of a trail exists.
    pub(crate) fn has(&self, trail: &Trail) -> bool {
        let end = trail.0.iter().try_fold(self, |node, step| node.step(step));
        end.is_some_and(|node| node.value != Value::Null)
    }

    fn step(&self, step: &Step) -> Option<&Node> {
        match (step, &self.value) {
            (Step::Key(key), _) => self.get(key),
            (Step::Index(index), Value::List(items)) => items.get(*index),
            (Step::Index(_), _) => None,
        }
    }
}

impl Value {
    /// What kind of value this is, in words; never the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Broken => "an unreadable value",
        }
    }
}

impl Text {
    /// The text in quotes as it may be shown: as the file has it, not as the environment filled it in.
    pub(crate) fn quoted(&self) -> String {
        quoted(self.written.as_deref().unwrap_or(&self.value))
    }
}

/// The longest piece of a value that a problem quotes, in letters.
const QUOTED: usize = 80;

/// A value in quotes, without control characters and not too long.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", short.escape_debug())
}

/// The way from the root to a value, kept apart from its words because keys may hold dots.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Trail(Vec<Step>);

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Trail {
    /// One key deeper.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// One list entry deeper.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

/// `routingGroups[1].backends[0].url`
impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => write!(f, "{}", key.escape_debug())?,
                Step::Key(key) => write!(f, ".{}", key.escape_debug())?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
