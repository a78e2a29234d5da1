//! Certificates and their keys, read from the files that the configuration names.
//!
//! A pair is taken whole or refused in words that say which of its two files is wrong. The words never quote a file's
//! content. Whether a certificate has expired or who signed it is not judged here: clients do that.

use std::{fs, io::Read as _, path::Path, sync::Arc};

use rustls::{
    Error,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
    server::ParsedCertificate,
    sign::{CertifiedKey, SigningKey},
};

/// No chain or key is that long; a file that is was named by mistake.
const LARGEST_FILE: u64 = 1 << 20;

/// A file of a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// The certificate, and those that lead to its root.
    Certificate,
    /// Its private key.
    Key,
}

/// What is wrong with one file of a pair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) part: Part,
    pub(crate) what: String,
}

impl Part {
    fn wrong(self, what: impl Into<String>) -> Wrong {
        Wrong { part: self, what: what.into() }
    }
}

/// Reads a certificate and its key; fails with what is wrong with each of the two.
pub(crate) fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, Vec<Wrong>> {
    let chain = bytes(certificate).and_then(|bytes| chain(&bytes));
    let signing = bytes(key).and_then(|bytes| signing_key(&bytes));
    match (chain, signing) {
        (Ok(chain), Ok(signing)) => {
            let pair = CertifiedKey::new(chain, signing);
            match pair.keys_match() {
                // A key of which nobody can say that is left to the first handshake.
                Ok(()) | Err(Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                    Ok(pair)
                }
                Err(_) => Err(vec![Part::Key.wrong("this key does not belong to the certificate")]),
            }
        }
        (chain, signing) => {
            let chain = chain.err().map(|what| Part::Certificate.wrong(what));
            let signing = signing.err().map(|what| Part::Key.wrong(what));
            Err(chain.into_iter().chain(signing).collect())
        }
    }
}

/// The bytes of a file, if it is a regular one of a size that can be meant.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("this file cannot be read: {error}");
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err("this is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(format!("this file is larger than {} MiB", LARGEST_FILE >> 20));
    }
    Ok(bytes)
}

/// The certificates of a PEM file in their order, at least one.
pub(crate) fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| not_pem(&error))?;
    let Some(first) = chain.first() else {
        let what = match PrivateKeyDer::from_pem_slice(pem) {
            Ok(_) => "this file holds a private key, and no certificate",
            Err(_) => "this file holds no certificate (`-----BEGIN CERTIFICATE-----`)",
        };
        return Err(what.to_owned());
    };
    match ParsedCertificate::try_from(first) {
        Ok(_) => Ok(chain),
        Err(error) => Err(format!("its first certificate cannot be read: {error}")),
    }
}

fn signing_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound if names(pem, b"BEGIN ENCRYPTED PRIVATE KEY") => {
            "this key is encrypted, and there is no passphrase to give".to_owned()
        }
        pem::Error::NoItemsFound if names(pem, b"BEGIN CERTIFICATE") => {
            "this file holds a certificate, and no private key".to_owned()
        }
        pem::Error::NoItemsFound => {
            "this file holds no private key (`-----BEGIN PRIVATE KEY-----`)".to_owned()
        }
        error => not_pem(&error),
    })?;
    let known = default_provider().key_provider.load_private_key(key);
    known.map_err(|_| "this private key is broken, or of a kind that is not known".to_owned())
}

/// PEM's own complaints may quote lines, so only their kind is told.
fn not_pem(error: &pem::Error) -> String {
    let what = match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end (`-----END …-----`)",
        pem::Error::IllegalSectionStart { .. } => "a section begins wrongly (`-----BEGIN …-----`)",
        pem::Error::Base64Decode(_) => "a section is no base64",
        _ => "it cannot be parsed",
    };
    format!("this file is no PEM: {what}")
}

fn names(pem: &[u8], words: &[u8]) -> bool {
    memchr::memmem::find(pem, words).is_some()
}

#[cfg(test)]
mod tests;
