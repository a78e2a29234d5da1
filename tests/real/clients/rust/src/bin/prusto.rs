//! prusto as its users have it: one task of `../../../client.py`, named by the argument.

use prusto::error::Error;
use prusto::ssl::Ssl;
use prusto::{Client, ClientBuilder, Row};
use rust_clients::{Asks, Where, cold, large, statements};
use serde_json::{Value, json};

struct Connected(Client);

/// An error as it prints itself, but for the stack of the coordinator's own code.
fn told(error: Error) -> String {
    match error {
        Error::QueryError(error) => {
            format!(
                "{} {} {}: {}",
                error.error_type, error.error_code, error.error_name, error.message
            )
        }
        other => other.to_string(),
    }
}

impl Asks for Connected {
    async fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let found = self.0.get_all::<Row>(sql.to_owned()).await.map_err(told)?;
        Ok(found.into_vec().into_iter().map(Row::into_json).collect())
    }

    async fn done(&self, sql: &str) -> Result<Value, String> {
        self.0.execute(sql.to_owned()).await.map_err(told)?;
        Ok(json!("done"))
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
        .secure(to.scheme == "https");
    if let Some(ca) = &to.ca {
        builder = builder.ssl(Ssl { root_cert: Some(Ssl::read_pem(ca)?) });
    }
    Ok(builder.build()?)
}
