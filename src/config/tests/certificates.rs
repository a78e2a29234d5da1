//! Certificates that the file names: their problems have its lines.

use super::*;

#[test]
fn a_bad_pair_is_told_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(["gw".to_owned()]).unwrap();
    std::fs::write(at("gw.crt"), made.cert.pem()).unwrap();
    std::fs::write(at("gw.key"), made.signing_key.serialize_pem()).unwrap();
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_pem();
    std::fs::write(at("other.key"), stranger).unwrap();
    let (certificate, key, other) = (at("gw.crt"), at("gw.key"), at("other.key"));
    let tls = format!("  tls:\n    certificate: {certificate}\n    key: {key}\n");
    right(&format!("data:\n{tls}{GROUPS}"));
    let others = format!("    others:\n      - {{ certificate: {certificate}, key: {other} }}\n");
    let told = wrong(&format!("data:\n{tls}{others}{GROUPS}"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("sluice.yaml:6:"), "{told:?}");
    assert!(told[0].contains("data.tls.others[0].key: this key does not belong"), "{told:?}");
    let told =
        wrong(&format!("data: {{ tls: {{ certificate: {other}, key: nowhere }} }}\n{GROUPS}"));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("data.tls.certificate: this file holds a private key"), "{told:?}");
    assert!(told[1].contains("data.tls.key: this file cannot be read: No such file"), "{told:?}");
}

#[test]
fn half_a_pair_is_told() {
    let told = wrong(&format!("data: {{ tls: {{ certificate: a }} }}\n{GROUPS}"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("`key` is missing"), "{told:?}");
}
