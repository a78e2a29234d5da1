//! How the programs of Rust hear and tell, and what both of them ask; `../client.py` says what is read and printed.
//! What changes from run to run becomes a word. No client of Trino is known here: a program gives its own as [`Asks`].

use std::future::Future;
use std::io::{self, BufRead, Write};

use serde::Deserialize;
use serde_json::{Value, json};

/// Where the tests tell a program to go.
#[derive(Deserialize)]
pub struct Where {
    pub scheme: String,
    pub host: String,
    pub port: u16,
    pub ca: Option<String>,
    pub user: String,
    pub catalog: String,
    pub schema: String,
    pub source: String,
    word: String,
}

impl Where {
    /// The line on standard input.
    pub fn told() -> io::Result<Self> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// A table of this client alone.
    fn table(&self) -> String {
        format!("memory.default.{}_writes", self.word)
    }

    /// Shows what came of something: rows, or the error as its user reads it.
    pub fn see(&self, name: &str, came: Result<Value, String>) -> io::Result<()> {
        let value = came.unwrap_or_else(|error| json!({ "error": self.steady(&error) }));
        writeln!(io::stdout(), "{}", json!({ "see": name, "value": value }))
    }

    fn steady(&self, text: &str) -> String {
        text.replace(&format!("{}:{}", self.host, self.port), "<address>")
    }
}

/// A connected client: a statement with rows, and one without.
pub trait Asks {
    fn rows(&self, sql: &str) -> impl Future<Output = Result<Vec<Vec<Value>>, String>>;
    fn done(&self, sql: &str) -> impl Future<Output = Result<Value, String>>;
}

const TYPES: &str = "SELECT true, 1, 1.5e0, DECIMAL '12345678901234567890.12', 'ä €', X'00ff', DATE '2026-02-28', \
    TIMESTAMP '2026-02-28 01:02:03.456', ARRAY[1, NULL], MAP(ARRAY['k'], ARRAY[1]), CAST(ROW(1, 'x') AS ROW(n integer, w varchar)), \
    JSON '{\"a\": [1]}', CAST(NULL AS varchar), INTERVAL '2' DAY";
const SELECTS: [&str; 11] = [
    "SELECT count(*) FROM nation",
    "SELECT name, regionkey FROM nation ORDER BY name",
    "SELECT * FROM nation WHERE false",
    TYPES,
    "SHOW CATALOGS",
    "DESCRIBE orders",
    "SELEC 1",
    "SELECT nope FROM nation",
    "SELECT * FROM nowhere.tiny.nation",
    "SELECT 1 / (nationkey - nationkey) FROM nation",
    "SELECT fail('of my own making')",
];
const EFFECTS: [&str; 5] = [
    "USE tpch.sf1",
    "SELECT count(*) FROM customer",
    "SET SESSION query_priority = 3",
    "SHOW SESSION LIKE 'query_priority'",
    "SELECT 'the last'",
];
const LARGE: &str = "SELECT orderkey, partkey, extendedprice, comment FROM tpch.sf1.lineitem WHERE orderkey <= 300000";

/// Everything that it can do in one go.
pub async fn statements(to: &Where, client: &impl Asks) -> io::Result<()> {
    show(to, client, &SELECTS).await?;
    let table = to.table();
    for sql in [
        format!("DROP TABLE IF EXISTS {table}"),
        format!("CREATE TABLE {table} AS SELECT * FROM nation"),
        format!("INSERT INTO {table} SELECT * FROM nation WHERE regionkey = 2"),
        format!("CREATE TABLE {table} (one integer)"),
    ] {
        to.see(&sql, client.done(&sql).await)?;
    }
    show(to, client, &[&format!("SELECT count(*), sum(nationkey) FROM {table}")]).await?;
    to.see("drop", client.done(&format!("DROP TABLE {table}")).await)?;
    show(to, client, &EFFECTS).await
}

/// So many rows that they come in many pages or segments: their number and a sum, in whatever order they come.
pub async fn large(to: &Where, client: &impl Asks) -> io::Result<()> {
    let rows = client.rows(LARGE).await;
    to.see(
        "large",
        rows.map(|rows| json!([rows.len(), rows.iter().map(|row| sum(row)).sum::<u64>()])),
    )
}

/// A sum over the bytes of a row, of which none may be missing.
fn sum(row: &[Value]) -> u64 {
    let text = Value::from(row).to_string();
    let hash = text.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    u64::from(hash)
}

/// The first that somebody asks who finds nobody awake; no table, for catalogs come after readiness.
pub async fn cold(to: &Where, client: &impl Asks) -> io::Result<()> {
    show(to, client, &["SELECT 1 AS one, 'woken' AS word", "SELECT 2", "SELECT nope"]).await
}

async fn show(to: &Where, client: &impl Asks, statements: &[&str]) -> io::Result<()> {
    for sql in statements {
        to.see(sql, client.rows(sql).await.map(Value::from))?;
    }
    Ok(())
}
