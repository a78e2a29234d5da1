//! The proxies: each in a process of its own, on one core, before the same two coordinators.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    load, machine,
    secret::{Secret, Trusting},
    wire::Wire,
};

/// What is measured: a proxy, or no proxy.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    /// Absent for the direct connection.
    pub(crate) pid: Option<u32>,
    /// Where pages are asked for.
    pub(crate) pages: SocketAddr,
    /// Where whole queries are run.
    pub(crate) queries: SocketAddr,
    /// How its clients speak to it, if not plainly.
    pub(crate) tls: Option<Trusting>,
    _process: Option<Arc<Process>>,
}

/// The two that everyone stands before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coordinators {
    /// Where pages are asked for.
    pub(crate) pages: SocketAddr,
    /// Where whole queries are run.
    pub(crate) queries: SocketAddr,
}

/// A child that ends with us, and the folder of its files.
#[derive(Debug)]
struct Process {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a proxy may take to answer its first statement.
const START: Duration = Duration::from_secs(20);

/// Starts everyone who is installed; who is not is named.
pub(crate) async fn start(sluices: &[PathBuf], to: Coordinators) -> Vec<Peer> {
    let mut peers = vec![direct(to)];
    for (number, binary) in sluices.iter().enumerate() {
        // What `make guided` has made says so by where it is.
        let is_guided = binary.components().any(|part| part.as_os_str() == "guided");
        let name = match number {
            _ if is_guided => "Sluice, guided".to_owned(),
            0 => "Sluice".to_owned(),
            _ => format!("Sluice {}", number + 1),
        };
        peers.extend(sluice(name, binary, to, Also::default()));
    }
    peers.extend(haproxy("HAProxy", to, ""));
    peers.extend(nginx(to));
    peers.extend(envoy(to));
    for peer in &peers {
        answers(peer).await;
    }
    peers
}

/// The gateway that tells as little as it can; its metrics cannot be switched off.
pub(crate) const SILENT: &str = "nothing told";

/// Sluice in every degree of talkativeness; what it writes goes into `folder`.
pub(crate) async fn telling(
    binary: &Path,
    to: Coordinators,
    collector: SocketAddr,
    folder: &Path,
    secret: &Secret,
) -> Vec<Peer> {
    let audit = folder.join("audit.jsonl");
    let traces = |ratio: &str| {
        format!(
            "telemetry: {{ otlpEndpoint: 'http://{collector}', otlpProtocol: http/protobuf, sampleRatio: {ratio} }}"
        )
    };
    let degrees = [
        (SILENT, "log: { level: 'off', access: 'off' }".to_owned()),
        ("as it comes", String::new()),
        ("1 % of traces", traces("0.01")),
        ("all traces", traces("1.0")),
        ("access log of all", "log: { access: all }".to_owned()),
        ("countRows", "queries: { countRows: true }".to_owned()),
        ("audit", format!("audit: {{ path: '{}' }}", audit.display())),
    ];
    let mut peers = vec![direct(to)];
    for (name, more) in degrees {
        peers.extend(sluice(name.to_owned(), binary, to, Also { more, ..Also::default() }));
    }
    let rules = Also { rules: many_rules(), ..Also::default() };
    peers.extend(sluice(format!("{} rules", MANY + 1), binary, to, rules));
    peers.extend(haproxy("HAProxy", to, ""));
    let Secret { certificate, key, both, .. } = secret;
    let tls =
        format!(", tls: {{ certificate: '{}', key: '{}' }}", certificate.display(), key.display());
    let ssl = format!(" ssl crt {}", both.display());
    let secured = Also { data: tls, ..Also::default() };
    let secured = sluice("TLS in".to_owned(), binary, to, secured);
    let secured = secured.into_iter().chain(haproxy("HAProxy, TLS in", to, &ssl));
    peers.extend(secured.map(|peer| Peer { tls: Some(secret.client.clone()), ..peer }));
    for peer in &peers {
        answers(peer).await;
    }
    peers
}

/// Sluice with its port for profiles open.
pub(crate) async fn profiled(binary: &Path, to: Coordinators, port: SocketAddr) -> Peer {
    let more = format!("profiling: {{ enabled: true, bind: '{port}' }}");
    let also = Also { more, ..Also::default() };
    let peer = sluice("profiled".to_owned(), binary, to, also).expect("a build");
    answers(&peer).await;
    peer
}

fn direct(to: Coordinators) -> Peer {
    Peer {
        name: "direct".to_owned(),
        version: None,
        pid: None,
        pages: to.pages,
        queries: to.queries,
        tls: None,
        _process: None,
    }
}

/// What a gateway is configured with besides what all are.
#[derive(Debug, Default)]
struct Also {
    /// Into the settings of the data port.
    data: String,
    /// Before the rule that holds.
    rules: String,
    /// Beside all others.
    more: String,
}

/// Rules that are asked in vain before the one that holds: with that one, two hundred.
const MANY: usize = 199;

/// Such rules as people write them: a list of globs and names, and a user.
fn many_rules() -> String {
    let rule = |n| {
        format!(
            "  - {{ name: r{n}, when: {{ source: ['job-{n}-*', etl-{n}], user: u{n} }}, routingGroup: pages }}\n"
        )
    };
    (0..MANY).map(rule).collect()
}

/// One port for everything, as users have it: a rule by source tells the two groups apart.
fn sluice(name: String, binary: &Path, to: Coordinators, also: Also) -> Option<Peer> {
    let Also { data, rules, more } = also;
    let Coordinators { pages, queries } = to;
    let port = free();
    let config = format!(
        "data: {{ bind: '{port}', workers: 1{data} }}
metrics: {{ bind: '127.0.0.1:0' }}
admin: {{ bind: '127.0.0.1:0' }}
health: {{ bind: '127.0.0.1:0' }}
defaultRoutingGroup: pages
rules:
{rules}  - {{ name: queries, when: {{ source: queries }}, routingGroup: queries }}
routingGroups:
  - {{ name: pages, backends: [{{ name: pages, url: 'http://{pages}' }}] }}
  - {{ name: queries, backends: [{{ name: queries, url: 'http://{queries}' }}] }}
{more}
"
    );
    let binary = binary.to_str()?;
    let arguments = |file: &str| ["serve", "--config", file].map(str::to_owned).to_vec();
    spawn(name, binary, "--version", &config, arguments, (port, port))
}

/// `bind` is what is said of its ports besides their addresses.
fn haproxy(name: &str, Coordinators { pages, queries }: Coordinators, bind: &str) -> Option<Peer> {
    let ports = (free(), free());
    let config = format!(
        "global
  nbthread 1
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen pages
  bind {}{bind}
  server pages {pages}
listen queries
  bind {}{bind}
  server queries {queries}
",
        ports.0, ports.1
    );
    let arguments = |file: &str| ["-db", "-f", file].map(str::to_owned).to_vec();
    spawn(name.to_owned(), "haproxy", "-v", &config, arguments, ports)
}

fn nginx(Coordinators { pages, queries }: Coordinators) -> Option<Peer> {
    let ports = (free(), free());
    let server = |name: &str, port: SocketAddr, to: SocketAddr| {
        format!(
            "upstream {name} {{ server {to}; keepalive 64; keepalive_requests 1000000000; keepalive_time 1d; }}
server {{
  listen {port}; keepalive_requests 1000000000; keepalive_time 1d;
  location / {{
    proxy_pass http://{name}; proxy_http_version 1.1; proxy_max_temp_file_size 0;
    proxy_set_header Connection ''; proxy_set_header Host $http_host;
  }}
}}"
        )
    };
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
access_log off; client_body_temp_path body; proxy_temp_path proxy;
fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
{}
{}
}}",
        server("pages", ports.0, pages),
        server("queries", ports.1, queries)
    );
    let arguments = |file: &str| {
        let folder = Path::new(file).parent().and_then(Path::to_str).unwrap_or("/");
        ["-p", folder, "-e", "stderr", "-c", file].map(str::to_owned).to_vec()
    };
    spawn("nginx".to_owned(), "nginx", "-v", &config, arguments, ports)
}

fn envoy(Coordinators { pages, queries }: Coordinators) -> Option<Peer> {
    let ports = (free(), free());
    let socket = |at: SocketAddr| {
        format!("{{ socket_address: {{ address: '{}', port_value: {} }} }}", at.ip(), at.port())
    };
    let listener = |name: &str, at: SocketAddr| {
        format!(
            "  - name: {name}
    address: {}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: {name}
          codec_type: HTTP1
          route_config:
            virtual_hosts:
            - name: all
              domains: ['*']
              routes: [{{ match: {{ prefix: / }}, route: {{ cluster: {name}, timeout: 0s }} }}]
              # Envoy adds it by itself, and a coordinator refuses it with 406 as Trino does by default.
              request_headers_to_remove: [x-forwarded-proto]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
",
            socket(at)
        )
    };
    let cluster = |name: &str, to: SocketAddr| {
        format!(
            "  - name: {name}
    connect_timeout: 5s
    load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {} }} }}] }}] }}
",
            socket(to)
        )
    };
    let config = format!(
        "static_resources:\n  listeners:\n{}{}  clusters:\n{}{}",
        listener("pages", ports.0),
        listener("queries", ports.1),
        cluster("pages", pages),
        cluster("queries", queries)
    );
    let arguments = |file: &str| {
        ["-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "off"]
            .map(str::to_owned)
            .to_vec()
    };
    spawn("Envoy".to_owned(), "envoy", "--version", &config, arguments, ports)
}

fn spawn(
    name: String,
    program: &str,
    version: &str,
    config: &str,
    arguments: impl Fn(&str) -> Vec<String>,
    (pages, queries): (SocketAddr, SocketAddr),
) -> Option<Peer> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let Ok(said) = Command::new(program).arg(version).env("PATH", &path).output() else {
        println!("{name} is left out: there is no `{program}` on this machine.\n");
        return None;
    };
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.yaml");
    fs::write(&file, config).expect("a configuration");
    let child = machine::command(program)
        .args(arguments(file.to_str().expect("a plain path")))
        .env("PATH", &path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    Some(Peer {
        name,
        version: said.lines().find(|line| !line.is_empty()).map(str::to_owned),
        pid: Some(child.id()),
        pages,
        queries,
        tls: None,
        _process: Some(Arc::new(Process { child, _folder: folder })),
    })
}

pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port")
}

/// Waits until a page and a statement come through.
async fn answers(peer: &Peer) {
    let deadline = Instant::now() + START;
    while let Err(why) = tried(peer).await {
        assert!(Instant::now() < deadline, "{} does not answer: {why}", peer.name);
        sleep(Duration::from_millis(50)).await;
    }
}

async fn tried(peer: &Peer) -> std::io::Result<()> {
    let mut wire = Wire::connect(peer.pages, peer.tls.as_ref()).await?;
    load::first_page(&mut wire, peer, 1024, None).await?;
    let mut wire = Wire::connect(peer.queries, peer.tls.as_ref()).await?;
    let status = wire.ask(&load::post(peer.queries, "queries", "SELECT 1"), |_| {}).await?;
    (status == 200).then_some(()).ok_or_else(|| std::io::Error::other(format!("status {status}")))
}
