//! The drivers against a real Kubernetes API server with RBAC on.
//!
//! With SLUICE_TEST_KUBE_* set, as `tests/real/api_server.py run` prints it, each test makes a namespace of its own,
//! applies the manifests of `deploy/rbac` there and calls drivers with the token of the service account `sluice`,
//! which may do nothing else. Without, they are skipped; `make test` sets it and counts.

/// Skips where there is no API server.
macro_rules! cluster_or_skip {
    () => {
        match crate::kubernetes::cluster::Cluster::of_the_environment() {
            Some(cluster) => cluster,
            None => {
                eprintln!("skipped: SLUICE_TEST_KUBE_URL names no API server");
                return;
            }
        }
    };
}

mod access;
mod cluster;
mod objects;
mod scale;
