//! Statements as clients write them, and the kind of each.

use proptest::prelude::*;

use super::{StatementKind::*, *};

/// Everyday statements of Trino's documentation, one of each shape.
const CORPUS: &[(&str, StatementKind)] = &[
    ("SELECT 1", Query),
    ("  select 1", Query),
    ("(SELECT 1) UNION (SELECT 2)", Query),
    ("WITH a AS (SELECT 1) SELECT * FROM a", Query),
    ("WITH FUNCTION f() RETURNS int RETURN 1 SELECT f()", Query),
    ("VALUES 1, 2", Query),
    ("TABLE c.s.t", Query),
    ("-- INSERT\n/* DROP */ SELECT 1", Query),
    ("CREATE TABLE t AS SELECT 1", Ctas),
    ("create or replace table c.s.t as select 1", Ctas),
    (
        "CREATE TABLE IF NOT EXISTS t (a, b) COMMENT 'x' WITH (format = 'ORC') AS (SELECT 1, 2)",
        Ctas,
    ),
    ("CREATE TABLE \"as\" (a int)", Other),
    ("CREATE TABLE t (a row(\"as\" int), LIKE u)", Other),
    ("CREATE TABLE t (a int) COMMENT 'as'", Other),
    ("INSERT INTO foo SELECT 1", Insert),
    ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", Merge),
    ("DELETE FROM t WHERE a = 1", Delete),
    ("DROP TABLE t", Drop),
    ("DROP VIEW IF EXISTS v", Drop),
    ("DROP SCHEMA s CASCADE", Drop),
    ("DROP ROLE r", Policy),
    ("CREATE VIEW v AS SELECT 1", CreateView),
    ("CREATE OR REPLACE VIEW v SECURITY INVOKER AS SELECT 1", CreateView),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", CreateView),
    ("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 1", CreateView),
    ("CREATE SCHEMA IF NOT EXISTS c.s", CreateSchema),
    ("CREATE ROLE r", Policy),
    ("CREATE CATALOG k USING tpch", Other),
    ("CREATE FUNCTION f() RETURNS int RETURN 1", Other),
    ("SHOW CATALOGS LIKE 'a%'", ShowCatalogs),
    ("show schemas from k", ShowSchemas),
    ("SHOW TABLES", ShowTables),
    ("SHOW COLUMNS FROM t", Utility),
    ("SHOW CREATE TABLE t", Utility),
    ("SHOW SESSION", Utility),
    ("SHOW GRANTS", Utility),
    ("GRANT SELECT ON t TO USER u", Policy),
    ("REVOKE ALL PRIVILEGES ON t FROM r", Policy),
    ("DENY SELECT ON t TO u", Policy),
    ("SET ROLE admin IN system", Policy),
    ("SET SESSION AUTHORIZATION u", Policy),
    ("RESET SESSION AUTHORIZATION", Policy),
    ("SET SESSION query_max_run_time = '1h'", Utility),
    ("RESET SESSION query_max_run_time", Utility),
    ("SET PATH c.s", Utility),
    ("SET TIME ZONE LOCAL", Utility),
    ("USE c.s", Utility),
    ("EXPLAIN ANALYZE SELECT 1", Utility),
    ("DESCRIBE t", Utility),
    ("DESC t", Utility),
    ("DESCRIBE INPUT p", Utility),
    ("PREPARE p FROM SELECT ?", Utility),
    ("DEALLOCATE PREPARE p", Utility),
    ("START TRANSACTION READ ONLY", Utility),
    ("COMMIT", Utility),
    ("ROLLBACK WORK", Utility),
    ("CALL system.runtime.kill_query('x')", Utility),
    ("ANALYZE t", Utility),
    ("COMMENT ON TABLE t IS 'x'", Utility),
    ("UPDATE t SET a = 1", Other),
    ("ALTER TABLE t RENAME TO u", Other),
    ("TRUNCATE TABLE t", Other),
    ("REFRESH MATERIALIZED VIEW v", Other),
    ("EXECUTE p", Other),
    ("EXECUTE IMMEDIATE 'INSERT INTO t VALUES ''a'''", Insert),
    ("execute immediate 'SELECT ?' USING 1", Query),
    ("EXECUTE IMMEDIATE 'EXECUTE IMMEDIATE ''SELECT 1'''", Other),
    ("EXECUTE IMMEDIATE", Other),
    ("EXECUTE", Other),
    ("", Other),
    (";", Other),
    ("SELECTED", Other),
    ("'SELECT'", Other),
    ("\"SELECT\"", Other),
    ("/* SELECT 1", Other),
    ("CREATE", Other),
    ("DROP", Other),
    ("CREATE OR", Other),
    ("SHOW", Other),
    ("SET", Other),
    ("grüße", Other),
];

#[test]
fn the_corpus_has_its_kinds() {
    for (sql, expected) in CORPUS {
        assert_eq!(kind(sql), *expected, "{sql}");
    }
}

#[test]
fn execute_is_what_was_prepared() {
    let prepared = |name: &str| match name {
        "p1" => Some("INSERT INTO foo SELECT 1".to_owned()),
        "a\"b" => Some("DELETE FROM t".to_owned()),
        "again" => Some("EXECUTE p1".to_owned()),
        "immediate" => Some("SELECT 1".to_owned()),
        _ => None,
    };
    assert_eq!(kind_of("EXECUTE p1", prepared), Insert);
    assert_eq!(kind_of("execute /* x */ p1 USING 1, 'a'", prepared), Insert);
    assert_eq!(kind_of("EXECUTE \"a\"\"b\"", prepared), Delete);
    assert_eq!(kind_of("EXECUTE immediate", prepared), Query);
    assert_eq!(kind_of("EXECUTE again", prepared), Other);
    assert_eq!(
        kind_of("EXECUTE P1", prepared),
        Other,
        "names of prepared statements keep their case"
    );
    assert_eq!(kind_of("EXECUTE 1", prepared), Other);
}

#[test]
fn only_the_beginning_is_looked_at() {
    let late = format!("CREATE TABLE t {} AS SELECT 1", " ".repeat(70_000));
    assert_eq!(kind(&late), Other);
    let list = format!("EXECUTE IMMEDIATE 'SELECT {}'", "'',".repeat(100_000));
    assert_eq!(kind(&list), Query);
    assert_eq!(kind(&"ä".repeat(70_000)), Other);
}

#[test]
fn every_kind_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> =
        StatementKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words.len(), 14);
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics(sql in "(EXECUTE|IMMEDIATE|CREATE|TABLE|AS|SET|['\"()]|\\s|.){0,30}") {
        let _ = kind_of(&sql, |name| Some(name.to_owned()));
    }
}
