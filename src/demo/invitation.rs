//! What the demo says before anything happens: who plays, and what to try.

use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
};

use super::stage::{AFTER_IDLE, ASLEEP, ASLEEP_GROUP, AWAKE, AWAKE_GROUP, SCHEDULED_SOURCE, Stage};

/// Says who plays and where.
pub(super) fn introduce(stage: &Stage, out: &mut impl Write) -> io::Result<()> {
    let (awake, asleep) = (stage.awake.addr(), stage.sleeper.address);
    writeln!(out, "\nSluice: one gateway, two Trino coordinators, one of them asleep.\n")?;
    writeln!(out, "  clients connect to  {}", stage.url())?;
    writeln!(out, "  {AWAKE_GROUP:<6} -> {AWAKE}   awake, simulated, at http://{awake}")?;
    writeln!(out, "  {ASLEEP_GROUP:<6} -> {ASLEEP}   asleep: nothing listens at http://{asleep}")?;
    writeln!(
        out,
        "\n  A statement whose source begins with `airflow` is for {ASLEEP_GROUP}: it waits while the gateway starts"
    )?;
    writeln!(
        out,
        "  {ASLEEP} as a process of its own, and {AFTER_IDLE} after the last one the process is gone again."
    )?;
    if !stage.taken.is_empty() {
        let ports: Vec<String> = stage.taken.iter().map(u16::to_string).collect();
        writeln!(out, "  (Taken by others: {}; free ports stand in.)", ports.join(", "))?;
    }
    writeln!(out)
}

/// Says what to try, with the ports as they are.
pub(super) fn invite(stage: &Stage, out: &mut impl Write) -> io::Result<()> {
    let (url, data) = (stage.url(), stage.addresses.data);
    writeln!(out, "Try, in another terminal:\n")?;
    item(out, "a first page with curl; follow its nextUri", Statement { url: &url, more: "" })?;
    let sleeper = format!(" -i -H 'X-Trino-Source: {SCHEDULED_SOURCE}'");
    item(
        out,
        "a statement for who sleeps: held 1 s, then QUEUED",
        Statement { url: &url, more: &sleeper },
    )?;
    let client = format!("trino --server {url} --user me --source {SCHEDULED_SOURCE}");
    item(out, "the same to its rows", format!("{client} --execute 'SELECT * FROM sim.rows(20)'"))?;
    let cli = format!("trino --server {url} --user me --execute 'SELECT * FROM sim.rows(20)'");
    item(out, "the Trino CLI", cli)?;
    item(out, "Python, after `pip install trino`", python(data))?;
    let slow = "SELECT * FROM sim.rows(50000) /* sim: running=10s */";
    item(out, "a query that runs for a while", format!("trino --server {url} --execute '{slow}'"))?;
    item(out, "what the gateway sees", format!("curl -s {}", stage.health_url("/api/v1/status")))?;
    item(out, "what Prometheus sees", format!("curl -s {}", stage.metrics_url()))?;
    let admin = stage.addresses.admin;
    item(
        out,
        "no new statements for a while",
        format!("sluice drain {AWAKE} --admin http://{admin}"),
    )?;
    item(
        out,
        "asleep until `sluice resume`: 503 in words",
        format!("sluice suspend {ASLEEP_GROUP} --admin http://{admin}"),
    )?;
    writeln!(out, "RUST_LOG=info shows the gateway's own log. Ctrl-C ends it all.\n")
}

fn item(out: &mut impl Write, what: &str, command: impl fmt::Display) -> io::Result<()> {
    writeln!(out, "  # {what}\n  {command}\n")
}

/// A POST by curl.
struct Statement<'a> {
    url: &'a str,
    more: &'a str,
}

impl fmt::Display for Statement<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, more } = self;
        write!(f, "curl -s{more} -H 'X-Trino-User: me' -d 'SELECT 1' {url}/v1/statement")
    }
}

fn python(data: SocketAddr) -> String {
    format!(
        "python3 -c \"import trino; print(trino.dbapi.connect(host='{}', port={}, user='me')\
         .cursor().execute('SELECT * FROM sim.rows(5)').fetchall())\"",
        data.ip(),
        data.port()
    )
}
