//! The certificates and keys that the file names: there, readable, and fitting each other.

use std::path::Path;

use super::report::Report;
use crate::config::{
    certificates::{self, Part},
    model::{Config, Pair, ScalerTls, Tls},
    tree::Trail,
};

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    data(config, report);
    scaler(config, report);
}

fn scaler(config: &Config, report: &mut Report<'_>) {
    let Some(ScalerTls { certificate, key, client_ca }) = &config.scaler.tls else { return };
    let trail = Trail::default().key("scaler").key("tls");
    pair(certificate, key, &trail, report);
    let at = trail.key("clientCa");
    let Some(path) = client_ca.as_ref().filter(|_| !report.is_broken(&at)) else { return };
    let chain = certificates::bytes(path).and_then(|bytes| certificates::chain(&bytes));
    if let Err(what) = chain {
        report.wrong(&at, what, "a PEM file with the certificates that may have signed KEDA's");
    }
}

fn data(config: &Config, report: &mut Report<'_>) {
    let Some(tls) = &config.data.tls else { return };
    let trail = Trail::default().key("data").key("tls");
    let Tls { certificate, key, others } = tls;
    pair(certificate, key, &trail, report);
    for (index, Pair { certificate, key }) in others.iter().enumerate() {
        pair(certificate, key, &trail.key("others").index(index), report);
    }
}

/// Reports what is wrong with the files at `certificate` and `key` below the trail.
pub(super) fn pair(certificate: &Path, key: &Path, trail: &Trail, report: &mut Report<'_>) {
    let (at_certificate, at_key) = (trail.key("certificate"), trail.key("key"));
    if report.is_broken(&at_certificate) || report.is_broken(&at_key) {
        return;
    }
    for wrong in certificates::pair(certificate, key).err().unwrap_or_default() {
        match wrong.part {
            Part::Certificate => report.wrong(
                &at_certificate,
                wrong.what,
                "a PEM file: the certificate, then those that lead to its root",
            ),
            Part::Key => {
                report.wrong(
                    &at_key,
                    wrong.what,
                    "a PEM file with the private key of `certificate`",
                );
            }
        }
    }
}
