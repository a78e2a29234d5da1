//! Pairs that can be used, and in words why others cannot.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use rcgen::{KeyPair, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;

/// A certificate and its key, as PEM.
fn made() -> (String, String) {
    let made = generate_simple_self_signed(["gw.example.com".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// What is wrong with a pair of these texts.
fn wrong(certificate: &str, key: &str) -> Vec<(Part, String)> {
    let folder = TempDir::new().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let wrong = pair(&at("crt", certificate), &at("key", key)).err().unwrap_or_default();
    wrong.into_iter().map(|wrong| (wrong.part, wrong.what)).collect()
}

/// One problem, with that part and these words.
fn one(certificate: &str, key: &str, part: Part, words: &str) {
    let told = wrong(certificate, key);
    let [(at, what)] = &told[..] else { panic!("{words}: {told:?}") };
    assert!(*at == part && what.contains(words), "{words}: {told:?}");
    assert!(!what.contains("MII"), "no content of a file: {what}");
}

#[test]
fn a_pair_is_taken_with_its_chain() {
    let (certificate, key) = made();
    let (other, _) = made();
    assert!(wrong(&certificate, &key).is_empty());
    assert!(wrong(&format!("{certificate}{other}"), &key).is_empty());
    // One file for both is usual, too.
    let both = format!("{key}{certificate}");
    assert!(wrong(&both, &both).is_empty());
}

#[test]
fn each_file_says_what_is_wrong_with_it() {
    let (certificate, key) = made();
    let stranger = KeyPair::generate().unwrap().serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let torn = certificate.split("-----END").next().unwrap();
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    one(&certificate, &stranger, Part::Key, "does not belong to the certificate");
    one(&certificate, &encrypted, Part::Key, "is encrypted");
    one(&certificate, &certificate, Part::Key, "holds a certificate, and no private key");
    one(&certificate, "", Part::Key, "holds no private key");
    one(&certificate, no_key, Part::Key, "broken, or of a kind that is not known");
    one(&key, &key, Part::Certificate, "holds a private key, and no certificate");
    one("", &key, Part::Certificate, "holds no certificate");
    one(torn, &key, Part::Certificate, "a section has no end");
    one(no_base64, &key, Part::Certificate, "no base64");
    one(no_certificate, &key, Part::Certificate, "its first certificate cannot be read");
    assert_eq!(wrong("", "").len(), 2, "both are told");
}

#[test]
fn files_that_are_none_are_told() {
    let folder = TempDir::new().unwrap();
    let (certificate, _) = made();
    let path = folder.path().join("crt");
    std::fs::write(&path, certificate).unwrap();
    let missing = pair(&path, &folder.path().join("none")).err().unwrap();
    assert!(missing[0].what.contains("cannot be read: No such file"), "{missing:?}");
    let directory = pair(folder.path(), &path).err().unwrap();
    assert_eq!(directory[0].what, "this is no regular file");
    std::fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
    let large = pair(&path, &path).err().unwrap();
    assert_eq!(large[0].what, "this file is larger than 1 MiB");
}
