//! Rules: which statements go to which group.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One routing rule.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Unique; a value of the label `rule`.
    pub name: String,
    /// The condition.
    pub when: When,
    /// Where matching statements go.
    pub routing_group: String,
}

/// A condition: every key that is given must hold (`any` and `not` combine others).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// `X-Trino-Source`.
    pub source: Option<Patterns>,
    /// `X-Trino-User`, else the Basic user, else `X-Trino-Original-User`.
    pub user: Option<Patterns>,
    /// The host that the client asked, lower case, without port.
    pub host: Option<Patterns>,
    /// One of `X-Trino-Client-Tags`.
    pub client_tags: Option<Patterns>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<Patterns>,
    /// `X-Trino-Schema`.
    pub schema: Option<Patterns>,
    /// Any request header, by name.
    pub headers: std::collections::BTreeMap<String, Patterns>,
    /// All of these hold.
    pub all: Option<Vec<When>>,
    /// At least one of these holds.
    pub any: Option<Vec<When>>,
    /// This does not hold.
    pub not: Option<Box<When>>,
}

/// One pattern or a list of which one must match: exact text, or a glob where it holds `*`, `?` or `[`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum Patterns {
    /// A single pattern.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}
