//! CPU profiles of the real program: off by default, readable and about the program where they are enabled.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::{
    io::Read as _,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, StatusCode};
use tokio::task::JoinSet;

use crate::{
    drain::{Process, process_yaml},
    harness::gateway::{Gateway, groups},
};

/// As long as the shortest profile needs, and the reading of the program's own symbols on a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

/// A debug build finds names slowly, so that it is watched for the shortest time there is.
const BRIEFLY: &str = "seconds=1";

#[tokio::test]
async fn obs_F1_by_default_nobody_listens_for_profiles() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = groups(&["http://127.0.0.1:1".to_owned()], "");
    let gateway = Gateway::start(&format!("profiling: {{ bind: \"{free}\" }}\n{nobody}")).await;
    assert_eq!(gateway.addresses.profiling, None);
    assert!(TcpStream::connect(free).is_err(), "refused");
    for address in [gateway.addresses.health, gateway.addresses.admin, gateway.addresses.metrics] {
        let url = format!("http://{address}/debug/pprof/profile");
        let answer = client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{address}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn obs_F1_a_profile_under_load_parses_and_names_the_program() {
    let yaml = process_yaml("http://127.0.0.1:1", "wait: 0s, deadline: 1s");
    let variables = [("SLUICE_PPROF", "1"), ("SLUICE_PPROF_ADDR", "127.0.0.1:0")];
    let process = Process::start_with(&yaml, "info", &variables).await;
    let at = process.address("profiling").expect("it listens for profiles");
    let load = Load::on(process.data);
    let base = format!("http://{at}/debug/pprof");
    for (path, words) in [("heap", "allocator"), ("tasks", "tokio"), ("mutex", "Rust has none")] {
        let answer = client().get(format!("{base}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_IMPLEMENTED);
        assert!(answer.text().await.unwrap().contains(words), "{path}");
    }
    for wrong in ["seconds=0", "seconds=61", "seconds=-1", "seconds=x"] {
        let answer = client().get(format!("{base}/profile?{wrong}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.text().await.unwrap().contains("error"), "{wrong}");
    }

    let asked = || client().get(format!("{base}/profile?{BRIEFLY}")).send();
    let (one, other) = tokio::join!(asked(), asked());
    let mut answers = [one.unwrap(), other.unwrap()];
    answers.sort_by_key(|answer| answer.status());
    let [taken, refused] = answers;
    assert_eq!((taken.status(), refused.status()), (StatusCode::OK, StatusCode::CONFLICT));
    assert!(refused.text().await.unwrap().contains("one at a time"));
    let profile = Read::from(&taken.bytes().await.unwrap());
    assert!(profile.samples > 0, "nothing was seen");
    let symbols = |part: &str| profile.strings.iter().any(|text| text.contains(part));
    assert!(symbols("sluice::"), "{:?}", profile.strings);
    assert!(symbols("data-") && symbols("nanoseconds"), "{:?}", profile.strings);

    let picture = client().get(format!("{base}/flamegraph?{BRIEFLY}")).send().await.unwrap();
    assert_eq!(picture.status(), StatusCode::OK);
    assert_eq!(picture.headers()["content-type"], "image/svg+xml");
    let picture = picture.text().await.unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains("sluice::"));
    load.stop().await;
}

#[tokio::test]
async fn obs_F1_a_wrong_variable_stops_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.yaml");
    std::fs::write(&file, process_yaml("http://127.0.0.1:1", "wait: 0s")).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(["serve", "--config"]).arg(&file).env("SLUICE_PPROF_ADDR", "6060");
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("SLUICE_PPROF_ADDR: `6060`"), "{words}");
}

fn client() -> Client {
    Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Clients that ask without a pause, until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Load {
    fn on(data: std::net::SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..4 {
            let (stop, client) = (Arc::clone(&stop), client());
            clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let _ = client.get(format!("http://{data}/v1/info")).send().await;
                }
            });
        }
        Self { stop, clients }
    }

    async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}

/// What a reader of `profile.proto` finds in it.
struct Read {
    samples: u64,
    strings: Vec<String>,
}

impl Read {
    fn from(gzip: &[u8]) -> Self {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(gzip).read_to_end(&mut bytes).unwrap();
        let fields = fields(&bytes);
        let messages = |number| {
            fields.iter().filter(move |field| field.number == number).map(|field| &field.bytes)
        };
        let strings: Vec<String> =
            messages(6).map(|text| String::from_utf8(text.clone()).unwrap()).collect();
        assert_eq!(strings[0], "", "the first text is empty");
        let locations: Vec<u64> = messages(4).map(|bytes| number_in(bytes, 1)).collect();
        let functions: Vec<u64> = messages(5).map(|bytes| number_in(bytes, 1)).collect();
        for location in messages(4) {
            let line = self::fields(location).into_iter().find(|field| field.number == 4).unwrap();
            assert!(functions.contains(&number_in(&line.bytes, 1)), "a line of no function");
        }
        for function in messages(5) {
            assert!((number_in(function, 2) as usize) < strings.len(), "a name that is not there");
        }
        let mut samples = 0;
        for sample in messages(2) {
            let parts = self::fields(sample);
            let packed = |number| {
                let part = parts.iter().find(|field| field.number == number);
                part.map(|field| varints(&field.bytes)).unwrap_or_default()
            };
            assert!(packed(1).iter().all(|id| locations.contains(id)), "a place of no location");
            assert_eq!(packed(2).len(), 2, "a value for each sample type");
            samples += packed(2)[0];
        }
        Self { samples, strings }
    }
}

/// A field of a message: a number, or bytes.
struct Field {
    number: u64,
    value: u64,
    bytes: Vec<u8>,
}

fn fields(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field { number: tag >> 3, value, bytes: Vec::new() },
            2 => {
                let (inner, rest) = bytes.split_at(value as usize);
                bytes = rest;
                Field { number: tag >> 3, value: 0, bytes: inner.to_vec() }
            }
            other => panic!("wire type {other}"),
        };
        fields.push(field);
    }
    fields
}

fn number_in(bytes: &[u8], number: u64) -> u64 {
    fields(bytes).iter().find(|field| field.number == number).map_or(0, |field| field.value)
}

fn varints(mut bytes: &[u8]) -> Vec<u64> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        all.push(varint(&mut bytes));
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
