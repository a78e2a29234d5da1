//! Why no TLS connection came about, in words: for the log and operators with names and times, for clients without.
//!
//! The words are the same at each try (no age, no present time), so that only news is told.

use std::{error::Error, io};

use jiff::Timestamp;
use rustls::{
    AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError,
    pki_types::{ServerName, UnixTime},
};
use thiserror::Error as ThisError;

/// A TLS connection that did not come about, or broke by TLS's own rules.
#[derive(Clone, Debug, Eq, PartialEq, ThisError)]
#[error("{words}")]
pub struct NoTls {
    /// For clients, who need not know the names within.
    pub brief: &'static str,
    /// For the log and the operators.
    pub words: String,
}

impl NoTls {
    /// The reason that stands somewhere in the chain of an error's causes, if TLS is the reason.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(found) = Self::named(cause) {
                return Some(found);
            }
            next = cause.source();
        }
        None
    }

    /// An error of I/O hides the error that it was made from, which may be one of I/O again.
    fn named(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(known) = cause.downcast_ref::<Self>() {
            return Some(known.clone());
        }
        if let Some(error) = cause.downcast_ref::<TlsError>() {
            return Some(Self::of(error));
        }
        Self::named(cause.downcast_ref::<io::Error>()?.get_ref()?)
    }

    fn of(error: &TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(wrong) => certificate(wrong),
            TlsError::AlertReceived(alert) => alerted(*alert),
            TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => Self {
                brief: "it does not speak TLS",
                words: "what answers there does not speak TLS".to_owned(),
            },
            other => {
                Self { brief: "no TLS connection to it comes about", words: other.to_string() }
            }
        }
    }
}

fn certificate(wrong: &CertificateError) -> NoTls {
    use CertificateError as E;
    let (brief, words) = match wrong {
        E::UnknownIssuer => (
            "its certificate is signed by nobody who is trusted",
            "its certificate is signed by nobody who is trusted; `tls.ca` names who is".to_owned(),
        ),
        E::Expired => ("its certificate has expired", "its certificate has expired".to_owned()),
        E::ExpiredContext { not_after, .. } => {
            ("its certificate has expired", format!("its certificate expired at {}", at(not_after)))
        }
        E::NotValidYet => {
            ("its certificate is not valid yet", "its certificate is not valid yet".to_owned())
        }
        E::NotValidYetContext { not_before, .. } => (
            "its certificate is not valid yet",
            format!("its certificate is not valid before {}", at(not_before)),
        ),
        E::NotValidForName => (
            "its certificate is for another name",
            "its certificate is for another name than that in `url`".to_owned(),
        ),
        E::NotValidForNameContext { expected, presented } => {
            ("its certificate is for another name", other_name(expected, presented))
        }
        E::Other(error) if is_authority(error) => (
            "its certificate is that of an authority",
            "its certificate is that of an authority (CA:TRUE) and proves no server".to_owned(),
        ),
        other => ("its certificate is not accepted", format!("its certificate: {other}")),
    };
    NoTls { brief, words }
}

fn other_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let expected = expected.to_str();
    // As the verifier writes them: `DnsName("trino")`, `IpAddress(127.0.0.1)`.
    let plain = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    match presented.iter().map(plain).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => {
            format!("its certificate is not for `{expected}`; it has no subjectAltName at all")
        }
        names => format!("its certificate is not for `{expected}`; it is for {names}"),
    }
}

/// The verifier's own crate is not ours to name; its words are.
fn is_authority(error: &OtherError) -> bool {
    error.to_string().contains("CaUsedAsEndEntity")
}

fn alerted(alert: AlertDescription) -> NoTls {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => NoTls {
            brief: "it wants a certificate of the gateway",
            words: "it wants a certificate of ours: `tls.certificate` and `tls.key`".to_owned(),
        },
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => NoTls {
            brief: "it does not accept the gateway's certificate",
            words: format!("it does not accept our certificate, or wants one: {alert:?}"),
        },
        _ => NoTls {
            brief: "the TLS handshake with it failed",
            words: format!("it ended the TLS handshake: {alert:?}"),
        },
    }
}

fn at(time: &UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "a time beyond the calendar".to_owned(), |time| time.to_string())
}
