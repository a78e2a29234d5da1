//! One object of the API: its path, and its name in the words that RBAC uses.

use std::fmt;

/// A namespaced object, or a subresource of it.
#[derive(Clone, Debug)]
pub(in crate::backends::resume::driver) struct Object {
    /// `apps`.
    pub(in crate::backends::resume::driver) group: String,
    /// `v1`.
    pub(in crate::backends::resume::driver) version: String,
    /// `deployments`.
    pub(in crate::backends::resume::driver) resource: String,
    pub(in crate::backends::resume::driver) namespace: String,
    pub(in crate::backends::resume::driver) name: String,
    /// `scale`.
    pub(in crate::backends::resume::driver) subresource: Option<&'static str>,
}

impl Object {
    /// Its path below the server; `config::check` has seen that the names are names.
    pub(super) fn path(&self) -> String {
        let Self { group, version, resource, namespace, name, subresource } = self;
        let below = subresource.map(|sub| format!("/{sub}")).unwrap_or_default();
        format!("/apis/{group}/{version}/namespaces/{namespace}/{resource}/{name}{below}")
    }

    /// `deployments/scale`, as a rule of a Role names it.
    pub(super) fn in_rbac(&self) -> String {
        let below = self.subresource.map(|sub| format!("/{sub}")).unwrap_or_default();
        format!("{}{below}", self.resource)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource, namespace, name, .. } = self;
        write!(f, "{resource}.{group} `{name}` in namespace `{namespace}`")
    }
}
