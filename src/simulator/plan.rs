//! What a statement does: its columns, its rows, what it changes in the client's session, or why it fails.
//!
//! This is no SQL engine. Whatever begins like a statement succeeds; a `SELECT` of literals returns them, any other
//! query returns numbered rows. `SELECT … FROM sim.rows(N)` returns N of them in pages of [`PAGE_ROWS`].

use http::{HeaderMap, HeaderName, HeaderValue};

use super::failure::Failure;
use super::rows::Rows;
use super::script::{Length, Moment, Script};
use super::{literal, sql};

/// The plan of one statement.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) script: Script,
    /// The JSON of `columns`.
    pub(super) columns: String,
    output: Output,
    pub(super) update: Option<(&'static str, Option<u64>)>,
    /// Headers that change the client's session, and those of the script.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Why the query fails at its first poll.
    pub(super) refused: Option<Failure>,
    /// What the coordinator does when the statement runs.
    pub(super) action: Action,
}

/// The effects of a statement on the coordinator itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    None,
    Begin,
    Commit,
    Rollback,
    /// The query's id and the message for its client.
    Kill(String, Option<String>),
}

#[derive(Debug)]
enum Output {
    Nothing,
    /// One row of literals, or what the script says instead.
    Literals(String),
    /// How many rows were written.
    Written(u64),
    /// So many numbered rows in all.
    Total(u64),
}

/// Rows of a page of `sim.rows(N)`; about 200 KB.
const PAGE_ROWS: u64 = 10_000;
/// What Trino's parser would have liked better.
const EXPECTED: &str = "'ALTER', 'ANALYZE', 'CALL', 'COMMENT', 'COMMIT', 'CREATE', 'DEALLOCATE', 'DELETE', 'DENY', 'DESC', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'GRANT', 'INSERT', 'MERGE', 'PREPARE', 'REFRESH', 'RESET', 'REVOKE', 'ROLLBACK', 'SET', 'SHOW', 'START', 'TRUNCATE', 'UPDATE', 'USE', 'WITH', <query>";
const NUMBERED: &str = r#"[{"name":"id","type":"bigint","typeSignature":{"rawType":"bigint","arguments":[]}},{"name":"name","type":"varchar","typeSignature":{"rawType":"varchar","arguments":[{"kind":"LONG","value":2147483647}]}}]"#;
const WRITTEN: &str =
    r#"[{"name":"rows","type":"bigint","typeSignature":{"rawType":"bigint","arguments":[]}}]"#;
/// The keywords with which a statement that the simulator plays as a query, or as an update, begins.
const QUERIES: [&str; 9] =
    ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "("];
const UPDATES: [&str; 14] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "GRANT", "REVOKE", "DENY",
    "CALL", "ANALYZE", "COMMENT", "REFRESH",
];

impl Plan {
    /// The plan of a statement, given the request's headers (prepared statements come in them).
    pub(super) fn of(text: &str, headers: &HeaderMap) -> Self {
        let mut plan = match Script::parse(text) {
            Ok(script) => Self::empty(script),
            Err(words) => return Self::failed(Failure::new("SYNTAX_ERROR", words)),
        };
        plan.headers.clone_from(&plan.script.headers);
        let statement = sql::without_comments(text);
        plan.decide(&statement, headers);
        plan
    }

    /// How long the query is QUEUED.
    pub(super) fn queued(&self) -> Length {
        self.script.queued.unwrap_or(Length::Polls(self.usual_pages()))
    }

    /// How long it runs before its first row.
    pub(super) fn running(&self) -> Length {
        self.script.running.unwrap_or(Length::Polls(self.usual_pages()))
    }

    /// How many pages come between its rows and its end.
    pub(super) fn finishing(&self) -> u32 {
        self.script.finishing.unwrap_or(self.usual_pages())
    }

    /// Queries take their time in each phase; a statement without rows is done at once.
    fn usual_pages(&self) -> u32 {
        u32::from(!matches!(self.output, Output::Nothing))
    }

    /// How many data pages there are.
    pub(super) fn pages(&self) -> u64 {
        match (&self.output, self.script.rows, self.script.bytes) {
            (Output::Nothing, ..) => 0,
            (Output::Total(rows), None, None) => rows.div_ceil(PAGE_ROWS),
            (Output::Written(_), ..) => 1,
            _ => self.script.pages,
        }
    }

    /// The rows of data page `number`, from 0.
    pub(super) fn rows(&self, number: u64) -> Rows {
        if let Output::Written(count) = self.output {
            return Rows::Text(format!("[{count}]").into(), 1);
        }
        if let Some(bytes) = self.script.bytes {
            return Rows::sized(bytes);
        }
        match (&self.output, self.script.rows) {
            (Output::Nothing | Output::Written(_), _) => Rows::None,
            (_, Some(rows)) => Rows::Numbered { from: number * rows, count: rows },
            (Output::Literals(row), None) => Rows::Text(row.clone().into(), 1),
            (Output::Total(rows), None) => {
                let from = number * PAGE_ROWS;
                Rows::Numbered { from, count: rows.saturating_sub(from).min(PAGE_ROWS) }
            }
        }
    }

    fn empty(script: Script) -> Self {
        Self {
            script,
            columns: "[]".to_owned(),
            output: Output::Nothing,
            update: None,
            headers: Vec::new(),
            refused: None,
            action: Action::None,
        }
    }

    fn failed(failure: Failure) -> Self {
        Self { refused: Some(failure), ..Self::empty(Script::default()) }
    }

    fn decide(&mut self, statement: &str, headers: &HeaderMap) {
        let words = sql::Words::of(statement);
        match words.first() {
            "START" => self.act("START TRANSACTION", Action::Begin),
            "COMMIT" => self.act("COMMIT", Action::Commit),
            "ROLLBACK" => self.act("ROLLBACK", Action::Rollback),
            "SET" if words.nth(1) == "SESSION" => self.set_session(statement),
            "SET" if words.nth(1) == "ROLE" => {
                self.change("SET ROLE", "x-trino-set-role", &format!("system={}", words.raw(2)));
            }
            "RESET" if words.nth(1) == "SESSION" => {
                self.change("RESET SESSION", "x-trino-clear-session", words.raw(2));
            }
            "USE" => self.use_schema(words.raw(1)),
            "PREPARE" => self.prepare(&words, statement),
            "DEALLOCATE" => self.deallocate(words.raw(2), headers),
            "EXECUTE" if words.nth(1) == "IMMEDIATE" => self.execute_immediate(statement, headers),
            "EXECUTE" => self.execute(words.raw(1), statement, headers),
            "CALL" if sql::is_kill_query(statement) => self.kill(statement),
            first if QUERIES.contains(&first) => self.query(statement, &words),
            first if UPDATES.contains(&first) => self.update(first, &words),
            "" => self.refuse_syntax("<EOF>"),
            _ => self.refuse_syntax(words.raw(0)),
        }
    }

    fn refuse_syntax(&mut self, word: &str) {
        let message = format!("line 1:1: mismatched input '{word}'. Expecting: {EXPECTED}");
        self.refused = Some(Failure::new("SYNTAX_ERROR", message).at(1, 1));
    }

    fn act(&mut self, kind: &'static str, action: Action) {
        self.update = Some((kind, None));
        self.action = action;
    }

    fn kill(&mut self, call: &str) {
        let mut arguments = sql::kill_arguments(call);
        let mut take = |wanted| {
            let at = arguments.iter().position(|(name, _)| name == wanted)?;
            Some(arguments.swap_remove(at).1)
        };
        let refused = match take("query_id") {
            None => {
                let words = "line 1:1: Required procedure argument 'QUERY_ID' is missing";
                Failure::new("INVALID_ARGUMENTS", words).at(1, 1)
            }
            Some(None) => bad_argument("query_id cannot be null"),
            Some(Some(id)) if id.is_empty() => bad_argument("id is empty"),
            Some(Some(id)) if !id.bytes().all(is_of_an_id) => {
                bad_argument(&format!("Invalid queryId {id}"))
            }
            Some(Some(id)) => {
                return self.act("CALL", Action::Kill(id, take("message").flatten()));
            }
        };
        self.refused = Some(refused);
    }

    fn change(&mut self, kind: &'static str, header: &'static str, value: &str) {
        self.update = Some((kind, None));
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(header), value));
        }
    }

    fn set_session(&mut self, statement: &str) {
        let assignment = statement.splitn(3, char::is_whitespace).nth(2).unwrap_or_default();
        let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
        let value = value.trim().trim_matches('\'');
        let pair = format!("{}={}", name.trim(), literal::url_encode(value));
        self.change("SET SESSION", "x-trino-set-session", &pair);
    }

    fn use_schema(&mut self, name: &str) {
        let (catalog, schema) =
            name.split_once('.').map_or((None, name), |(catalog, schema)| (Some(catalog), schema));
        if let Some(catalog) = catalog {
            self.change("USE", "x-trino-set-catalog", catalog);
        }
        self.change("USE", "x-trino-set-schema", schema);
    }

    fn prepare(&mut self, words: &sql::Words<'_>, statement: &str) {
        let body = sql::after_word(statement, "FROM");
        let pair = format!("{}={}", words.raw(1), literal::url_encode(body));
        self.change("PREPARE", "x-trino-added-prepare", &pair);
    }

    fn deallocate(&mut self, name: &str, headers: &HeaderMap) {
        match literal::prepared(headers, name) {
            Some(_) => self.change("DEALLOCATE", "x-trino-deallocated-prepare", name),
            None => self.refuse_unprepared(name),
        }
    }

    fn refuse_unprepared(&mut self, name: &str) {
        let message = format!("Prepared statement not found: {name}");
        self.refused = Some(Failure::new("NOT_FOUND", message));
    }

    fn execute(&mut self, name: &str, statement: &str, headers: &HeaderMap) {
        match literal::prepared(headers, name) {
            Some(body) => self.run_prepared(&body, sql::after_word(statement, "USING"), headers),
            None => self.refuse_unprepared(name),
        }
    }

    fn execute_immediate(&mut self, statement: &str, headers: &HeaderMap) {
        let (body, rest) = literal::string_after(statement);
        self.run_prepared(&body, sql::after_word(rest, "USING"), headers);
    }

    /// Runs a prepared statement; its own directives count beside those of the EXECUTE.
    fn run_prepared(&mut self, body: &str, parameters: &str, headers: &HeaderMap) {
        if let Ok(script) = Script::parse(body)
            && body.contains("sim:")
        {
            self.script = script;
        }
        let statement = literal::substitute(&sql::without_comments(body), parameters);
        // A statement that executes itself would never end.
        if !sql::Words::of(&statement).first().starts_with("EXEC") {
            self.decide(&statement, headers);
        }
    }

    fn query(&mut self, statement: &str, words: &sql::Words<'_>) {
        self.columns = NUMBERED.to_owned();
        self.output = Output::Total(sql::sim_rows(statement).unwrap_or(1));
        if words.first() != "SELECT" || self.script.rows.is_some() || self.script.bytes.is_some() {
            return;
        }
        let selected = statement.get("SELECT".len()..).unwrap_or_default();
        match literal::row(selected) {
            literal::Selected::Row { columns, row } => {
                self.columns = columns;
                self.output = Output::Literals(row);
            }
            literal::Selected::UnknownColumn(name) => {
                let message = format!("line 1:8: Column '{name}' cannot be resolved");
                self.refused = Some(Failure::new("COLUMN_NOT_FOUND", message).at(1, 8));
            }
            literal::Selected::Table => {}
        }
    }

    fn update(&mut self, first: &str, words: &sql::Words<'_>) {
        let (kind, is_writing) = match (first, words.nth(1)) {
            ("INSERT", _) => ("INSERT", true),
            ("UPDATE", _) => ("UPDATE", true),
            ("DELETE", _) => ("DELETE", true),
            ("MERGE", _) => ("MERGE", true),
            ("CREATE", "TABLE") => ("CREATE TABLE", words.contains("AS")),
            ("CREATE", "SCHEMA") => ("CREATE SCHEMA", false),
            ("CREATE", _) => ("CREATE VIEW", false),
            ("DROP", "TABLE") => ("DROP TABLE", false),
            ("DROP", "SCHEMA") => ("DROP SCHEMA", false),
            ("DROP", _) => ("DROP VIEW", false),
            ("CALL", _) => ("CALL", false),
            ("GRANT", _) => ("GRANT", false),
            ("REVOKE", _) => ("REVOKE", false),
            _ => ("ALTER TABLE", false),
        };
        let count = self.script.rows.unwrap_or(1);
        self.update = Some((kind, is_writing.then_some(count)));
        if is_writing {
            self.columns = WRITTEN.to_owned();
            self.output = Output::Written(count);
        }
    }

    /// The failure of the script's own ending, when it comes at that moment.
    pub(super) fn scripted_failure(&self, moment: Moment) -> Option<Failure> {
        match &self.script.ending {
            super::script::Ending::Fail(name) if self.script.at == moment => {
                Some(Failure::new(name, format!("the script says {name}")))
            }
            _ => None,
        }
    }
}

fn bad_argument(words: &str) -> Failure {
    Failure::new("INVALID_PROCEDURE_ARGUMENT", words)
}

fn is_of_an_id(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit()
}
