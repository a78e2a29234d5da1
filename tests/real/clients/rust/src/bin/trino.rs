//! trino-rust-client as its users have it: one task of `../../../client.py`, named by the argument; results are spooled, as it can.

use rust_clients::{Asks, Where, cold, large, statements};
use serde_json::{Value, json};
use trino_rust_client::ssl::Ssl;
use trino_rust_client::{Client, ClientBuilder, Row};

struct Connected(Client);

impl Asks for Connected {
    async fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let found = self.0.get_all::<Row>(sql).await.map_err(|error| error.to_string())?;
        Ok(found.into_vec().into_iter().map(Row::into_json).collect())
    }

    async fn done(&self, sql: &str) -> Result<Value, String> {
        let done = self.0.execute(sql).await.map_err(|error| error.to_string())?;
        Ok(json!([done.update_type, done.update_count]))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let to = Where::told()?;
    let client = Connected(connect(&to)?);
    match std::env::args().nth(1).as_deref() {
        Some("statements") => statements(&to, &client).await?,
        Some("large") => large(&to, &client).await?,
        Some("cold") => cold(&to, &client).await?,
        task => return Err(format!("no such task: {task:?}").into()),
    }
    Ok(())
}

fn connect(to: &Where) -> Result<Client, Box<dyn std::error::Error>> {
    let mut builder = ClientBuilder::new(&to.user, &to.host)
        .port(to.port)
        .catalog(&to.catalog)
        .schema(&to.schema)
        .source(&to.source)
        .spooling_encoding("json+zstd")
        .secure(to.scheme == "https");
    if let Some(ca) = &to.ca {
        builder = builder.ssl(Ssl { root_cert: Some(Ssl::read_pem(ca)?) });
    }
    Ok(builder.build()?)
}
