//! TLS towards the coordinators: that its keys belong to an `https` URL, and that its files can be used.

use super::{
    address,
    report::{Report, is_stand_in},
};
use crate::config::{
    model::{Backend, Config},
    problem::Problem,
    tree::{Node, Trail},
    trust::Reader,
};

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let mut reader = Reader::default();
    for (backend, trail) in backends(config) {
        self::backend(backend, &trail, &mut reader, report);
    }
}

/// The backends whose certificates nobody looks at.
pub(super) fn unjudged(config: &Config, tree: &Node) -> Vec<Problem> {
    let skips =
        |backend: &Backend| backend.tls.as_ref().is_some_and(|tls| tls.insecure_skip_verify);
    let found = backends(config).filter(|(backend, _)| skips(backend)).map(|(backend, trail)| {
        let at = trail.key("tls").key("insecureSkipVerify");
        let what = format!(
            "any certificate of `{}` is taken: whoever stands between reads passwords and rows",
            backend.name
        );
        Problem::at(tree.nearest(&at), at.to_string(), what, "")
    });
    found.collect()
}

fn backends(config: &Config) -> impl Iterator<Item = (&Backend, Trail)> {
    let groups = Trail::default().key("routingGroups");
    config.routing_groups.iter().enumerate().flat_map(move |(index, group)| {
        let backends = groups.index(index).key("backends");
        group.backends.iter().enumerate().map(move |(index, each)| (each, backends.index(index)))
    })
}

fn backend(backend: &Backend, trail: &Trail, reader: &mut Reader, report: &mut Report<'_>) {
    let Some(tls) = &backend.tls else { return };
    let at = trail.key("tls");
    if !is_stand_in(&backend.url)
        && address::backend(&backend.url).is_ok_and(|url| url.starts_with("http:"))
    {
        let what = "the URL of this backend is `http`: nothing would be read of `tls`";
        return report.wrong(&at, what, "an `https` URL, or no `tls`");
    }
    if let Err(wrong) = reader.read(Some(tls)) {
        let at = wrong.key.map_or_else(|| at.clone(), |key| at.key(key));
        report.wrong(&at, wrong.words, "PEM files: `ca`, or `certificate` and its `key`");
    }
}
