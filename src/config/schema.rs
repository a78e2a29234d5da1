//! The JSON Schema of `sluice.yaml`, made from the model: for editors, and for `shape`, which holds files against it.

use std::sync::OnceLock;

use serde_json::Value;

use crate::config::model::Config;

/// The schema as `sluice schema` prints it: indented JSON with a line end.
pub fn schema() -> String {
    format!("{:#}\n", value())
}

/// The schema itself, made once a process.
pub(crate) fn value() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Config);
        schema.insert("title".to_owned(), Value::from("sluice.yaml"));
        schema.to_value()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that editors are pointed at; a change of the model shows as its difference.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/config.schema.json");

    #[test]
    fn the_schema_in_the_repository_is_the_models() {
        if std::env::var_os("SLUICE_BLESS").is_some() {
            std::fs::create_dir_all(std::path::Path::new(GOLDEN).parent().unwrap()).unwrap();
            std::fs::write(GOLDEN, schema()).unwrap();
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            golden == schema(),
            "{GOLDEN} differs from the model; if that is meant, run `SLUICE_BLESS=1 cargo test schema` \
             and commit the file"
        );
    }
}
