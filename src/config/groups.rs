//! What follows from a routing group's name: the two labels by which XTrinode's scalers ask.

use crate::config::model::RoutingGroup;

/// The labels `namespace` and `xtrinode` of a group's metrics; empty where nothing says them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Labels<'a> {
    /// The Kubernetes namespace.
    pub namespace: &'a str,
    /// The name of the XTrinode resource.
    pub xtrinode: &'a str,
}

/// What the file says, else the two parts of a name like `namespace--name`.
pub fn labels(group: &RoutingGroup) -> Labels<'_> {
    let (before, behind) = match group.name.split_once("--") {
        Some((before, behind)) if !before.is_empty() && !behind.is_empty() => (before, behind),
        _ => ("", ""),
    };
    Labels {
        namespace: group.namespace.as_deref().unwrap_or(before),
        xtrinode: group.xtrinode.as_deref().unwrap_or(behind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, namespace: Option<&str>, xtrinode: Option<&str>) -> (String, String) {
        let group = RoutingGroup {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            xtrinode: xtrinode.map(str::to_owned),
            select: Default::default(),
            on_empty: "refuse".to_owned(),
            cold_start: Default::default(),
            suspend: None,
            backends: Vec::new(),
        };
        let labels = labels(&group);
        (labels.namespace.to_owned(), labels.xtrinode.to_owned())
    }

    #[test]
    fn labels_come_from_the_file_else_from_the_name() {
        let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        assert_eq!(of("team-a--analytics", None, None), pair("team-a", "analytics"));
        assert_eq!(of("a--b--c", None, None), pair("a", "b--c"));
        assert_eq!(of("adhoc", None, None), pair("", ""));
        assert_eq!(of("--x", None, None), pair("", ""));
        assert_eq!(of("adhoc", Some("ns"), Some("xt")), pair("ns", "xt"));
        assert_eq!(of("team-a--analytics", Some("ns"), None), pair("ns", "analytics"));
    }
}
