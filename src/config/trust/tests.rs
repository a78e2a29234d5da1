//! What can be wrong with a file, and which contents are the same.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair};

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    }
}

/// A certificate that signed itself, and its key.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["trino".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn read(tls: &UpstreamTls) -> Result<Arc<Trust>, Wrong> {
    Reader::default().read(Some(tls))
}

/// Which key is wrong, and these words about it.
fn refused(tls: &UpstreamTls, key: &str, words: &str) {
    let wrong = read(tls).unwrap_err();
    assert_eq!(wrong.key, Some(key), "{wrong}");
    assert!(wrong.words.contains(words), "{wrong}");
    assert!(!wrong.words.contains("PRIVATE"), "{wrong}");
}

#[test]
fn each_file_that_cannot_be_used_is_named_with_its_key() {
    let (files, (certificate, key)) = (Files::new(), pair());
    let none = UpstreamTls::default();
    let missing = Some(files.0.path().join("missing"));
    let folder = Some(files.0.path().to_owned());
    let empty = files.write("empty", "");
    let cut = files.write("cut", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let text = files.write("text", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let bytes =
        files.write("bytes", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let (good, good_key) = (files.write("good", &certificate), files.write("good.key", &key));
    let other_key = files.write("other.key", &pair().1);
    for (ca, words) in [
        (&missing, "cannot be read"),
        (&folder, "is no file"),
        (&empty, "there is no such PEM section"),
        (&good_key, "there is no such PEM section"),
        (&cut, "has no end"),
        (&text, "is no base64"),
        (&bytes, "holds no usable certificate"),
    ] {
        refused(&UpstreamTls { ca: ca.clone(), ..none.clone() }, "ca", words);
    }
    for (certificate, key, wrong, words) in [
        (&good, &None, "certificate", "its `key` is missing"),
        (&None, &good_key, "key", "its `certificate` is missing"),
        (&good, &missing, "key", "cannot be read"),
        (&good, &good, "key", "holds no private key"),
        (&good, &other_key, "key", "not the key of `certificate`"),
        (&empty, &good_key, "certificate", "holds no certificate"),
        (&bytes, &good_key, "certificate", "it is no certificate"),
    ] {
        let (certificate, key) = (certificate.clone(), key.clone());
        refused(&UpstreamTls { certificate, key, ..none.clone() }, wrong, words);
    }
    let (certificate, key) = (good.clone(), good_key);
    assert!(read(&UpstreamTls { ca: good, certificate, key, ..none }).is_ok());
}

#[test]
fn the_id_is_that_of_the_contents() {
    let (files, (one, other)) = (Files::new(), (pair().0, pair().0));
    let trusting =
        |ca: Option<PathBuf>| read(&UpstreamTls { ca, ..UpstreamTls::default() }).unwrap().id();
    let first = trusting(files.write("a", &one));
    assert!(first == trusting(files.write("b", &one)), "the name of the file is nothing");
    assert!(first != trusting(files.write("a", &other)), "renewed under the same name");
    assert!(first != trusting(None));
    assert!(trusting(None) == trusting(None), "the system's roots, in whatever order");
    let unjudged = UpstreamTls { insecure_skip_verify: true, ..UpstreamTls::default() };
    assert!(read(&unjudged).unwrap().id() != trusting(None));
    assert_eq!(format!("{first:?}"), "TrustId", "nothing of a key is shown");
}

#[test]
fn only_http_1_is_offered() {
    let trust = Reader::default().read(None).unwrap();
    assert_eq!(trust.client().alpn_protocols, [b"http/1.1"]);
}
