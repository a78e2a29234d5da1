//! Names as clients ask for them.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use rcgen::generate_simple_self_signed;
use rustls::{crypto::aws_lc_rs::default_provider, pki_types::PrivateKeyDer};

use super::*;

fn pair(names: &[&str]) -> Arc<CertifiedKey> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = default_provider();
    Arc::new(CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap())
}

/// The number of the certificate that is shown for each of these names.
fn shown(pairs: &[&[&str]], names: &[Option<&str>]) -> Vec<usize> {
    let pairs: Vec<_> = pairs.iter().map(|names| pair(names)).collect();
    let chooser = Chooser::new(pairs.clone());
    let number = |name: &Option<&str>| {
        let chosen = chooser.choose(*name).unwrap();
        pairs.iter().position(|pair| Arc::ptr_eq(pair, &chosen)).unwrap()
    };
    names.iter().map(number).collect()
}

#[test]
fn the_name_decides_and_the_first_answers_all_others() {
    let pairs: [&[&str]; 3] = [&["gw.example.com"], &["etl.example.com", "b.test"], &["c.test"]];
    let names = ["gw.example.com", "etl.example.com", "B.TEST", "c.test", "d.test", "example.com"];
    let names: Vec<_> = names.into_iter().map(Some).chain([None]).collect();
    assert_eq!(shown(&pairs, &names), [0, 1, 1, 2, 0, 0, 0]);
}

#[test]
fn a_name_wins_over_a_star_wherever_it_stands() {
    let names = [Some("gw.example.com"), Some("x.example.com"), Some("a.b.example.com")];
    assert_eq!(shown(&[&["*.example.com"], &["gw.example.com"]], &names), [1, 0, 0]);
    assert_eq!(shown(&[&["gw.example.com"], &["*.example.com"]], &names), [0, 1, 0]);
    assert_eq!(shown(&[&["z.test"], &["*.example.com"], &["*.example.com"]], &names), [1, 1, 0]);
}
