//! TLS of the scaler's port, and KEDA's own certificate.

use std::{path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::harness::{
    gateway::Gateway,
    keda::{Keda, scaler},
    wait,
};

/// Signs what the test needs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// Certificate and key.
struct Pair(String, String);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn signs(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Pair(params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

impl Pair {
    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("tls.crt"), &self.0).unwrap();
        std::fs::write(folder.join("tls.key"), &self.1).unwrap();
    }
}

fn yaml(folder: &Path, client_ca: bool) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let ca = match client_ca {
        true => format!(", clientCa: \"{}\"", file("ca.crt")),
        false => String::new(),
    };
    format!(
        "scaler: {{ enabled: true, bind: \"127.0.0.1:0\", tls: {{ certificate: \"{}\", key: \"{}\"{ca} }} }}\n\
         routingGroups: [{{ name: adhoc, backends: [{{ name: a, url: 'http://127.0.0.1:1' }}] }}]\n",
        file("tls.crt"),
        file("tls.key")
    )
}

/// A client that trusts this authority; `Err` where there is no connection.
async fn keda(
    gateway: &Gateway,
    trusted: &Authority,
    own: Option<&Pair>,
) -> Result<Keda, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&trusted.pem))
        .domain_name("sluice-scaler");
    if let Some(Pair(certificate, key)) = own {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let address = format!("https://{}", scaler(gateway));
    let channel = Channel::from_shared(address).unwrap().tls_config(tls)?.connect().await?;
    Ok(Keda::over(channel, &[("routingGroup", "adhoc")]))
}

#[tokio::test]
async fn with_a_certificate_only_who_speaks_tls_is_answered() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.signs("sluice-scaler").write(folder.path());
    let gateway = Gateway::start(&yaml(folder.path(), false)).await;
    let trusting = keda(&gateway, &authority, None).await.unwrap();
    assert_eq!(trusting.spec().await.unwrap().len(), 1);
    assert!(keda(&gateway, &Authority::new(), None).await.is_err(), "an authority of its own");
    let plain = Channel::from_shared(format!("http://{}", scaler(&gateway))).unwrap();
    if let Ok(channel) = plain.connect().await {
        assert!(Keda::over(channel, &[("routingGroup", "adhoc")]).spec().await.is_err());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn where_a_client_ca_is_named_keda_must_show_a_certificate_of_it() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority.signs("sluice-scaler").write(folder.path());
    std::fs::write(folder.path().join("ca.crt"), &authority.pem).unwrap();
    let gateway = Gateway::start(&yaml(folder.path(), true)).await;
    let known = keda(&gateway, &authority, Some(&authority.signs("keda"))).await.unwrap();
    assert_eq!(known.spec().await.unwrap().len(), 1);
    let stranger = Authority::new().signs("keda");
    for own in [None, Some(&stranger)] {
        // In TLS 1.3 a client learns of the refusal only with the first answer.
        if let Ok(unknown) = keda(&gateway, &authority, own).await {
            assert!(unknown.spec().await.is_err());
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_renewed_pair_is_shown_without_a_restart_and_a_bad_one_is_not() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    old.signs("sluice-scaler").write(folder.path());
    let gateway = Gateway::start(&yaml(folder.path(), false)).await;
    let first = keda(&gateway, &old, None).await.unwrap();
    std::fs::write(folder.path().join("tls.crt"), "no certificate").unwrap();
    wait::pass(Duration::from_millis(20)).await;
    assert!(keda(&gateway, &old, None).await.is_ok(), "the old one stays");
    wait::pass(Duration::from_millis(20)).await;
    new.signs("sluice-scaler").write(folder.path());
    let renewed = keda(&gateway, &new, None).await.unwrap();
    assert_eq!(renewed.spec().await.unwrap().len(), 1);
    assert_eq!(first.spec().await.unwrap().len(), 1, "no connection was cut");
    gateway.stop().await;
}

#[test]
fn a_pair_that_cannot_be_put_to_work_ends_the_start_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = authority.signs("sluice-scaler");
    let other = authority.signs("sluice-scaler");
    for (certificate, key, words) in [
        ("", &good.1, "scaler.tls.certificate"),
        (good.0.as_str(), &String::new(), "scaler.tls.key"),
        (good.0.as_str(), &other.1, "scaler.tls.key"),
    ] {
        Pair(certificate.to_owned(), key.clone()).write(folder.path());
        let text = yaml(folder.path(), false)
            + "data: { bind: \"127.0.0.1:0\" }\nmetrics: { bind: \"127.0.0.1:0\" }\n\
               admin: { bind: \"127.0.0.1:0\" }\nhealth: { bind: \"127.0.0.1:0\" }\n";
        let file = folder.path().join("sluice.yaml");
        std::fs::write(&file, text).unwrap();
        let told = sluice::config::load(&file).unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
    }
}
