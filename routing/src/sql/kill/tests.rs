//! The ways to write `kill_query`, and what is none.

use proptest::prelude::*;

use super::*;

const Q: &str = "20240102_030405_00006_abcde";
const OTHER: &str = "20240102_030405_00007_abcde";

/// `<Q>` and `<other>` stand for ids, `-` for a header that is absent.
fn killed(sql: &str, session: [&str; 2]) -> Option<String> {
    let sql = sql.replace("<Q>", Q).replace("<other>", OTHER);
    let [catalog, schema] = session.map(|value| (value != "-").then_some(value));
    kill_query(&sql, catalog, schema).map(|id| id.to_string())
}

#[test]
fn peers_6_2_full_name() {
    for sql in [
        "CALL system.runtime.kill_query(query_id => '<Q>', message => 'm')",
        "CALL system.runtime.kill_query(Query_id => '<Q>', Message => 'm')",
        "CALL system.runtime.kill_query(query_id=>'<Q>')",
        "CALL system.runtime.kill_query('<Q>')",
        "CALL system.runtime.kill_query('<Q>', 'm')",
        "CALL system.runtime.kill_query('<Q>', '<other>')",
        "CALL system.runtime.kill_query('<Q>', 'CALL system.runtime.kill_query(''<other>'')')",
        "CALL system.runtime.kill_query(message => 'see <other>', query_id => '<Q>')",
        "CALL system.runtime.kill_query(message => concat('a', 'b'), query_id => '<Q>')",
        "CALL \"system\".\"runtime\".\"kill_query\"('<Q>');",
        "EXECUTE IMMEDIATE 'CALL system.runtime.kill_query(''<Q>'', ''m'')'",
    ] {
        assert_eq!(killed(sql, ["-", "-"]).as_deref(), Some(Q), "{sql}");
        assert_eq!(killed(sql, ["hive", "default"]).as_deref(), Some(Q), "{sql}");
    }
}

#[test]
fn peers_6_2_the_session_completes_the_name() {
    for (sql, session) in [
        ("CALL runtime.kill_query('<Q>', 'm')", ["system", "-"]),
        ("CALL runtime.kill_query('<Q>', 'm')", ["system", "default"]),
        ("CALL kill_query('<Q>')", ["system", "runtime"]),
        ("call Kill_Query('<Q>')", ["system", "runtime"]),
        ("CALL KILL_QUERY ('<Q>')", ["system", "runtime"]),
    ] {
        assert_eq!(killed(sql, session).as_deref(), Some(Q), "{sql}");
    }
}

#[test]
fn peers_6_2_comments_between_tokens() {
    let sql = "-- first\nCALL /* a */\n kill_query -- b '\n(\n /* ( */ '<Q>' -- c\n ,\n 'two\nlines' /* d */ )";
    assert_eq!(killed(sql, ["system", "runtime"]).as_deref(), Some(Q));
}

#[test]
fn peers_6_2_text_and_comments_kill_nothing() {
    for sql in [
        "SELECT * FROM q WHERE sql LIKE '%kill_query(''<Q>%'",
        "SELECT * FROM q WHERE sql LIKE 'CALL kill_query(<Q>)'",
        "-- CALL kill_query('<Q>')\nSELECT 1",
        "/* CALL kill_query('<Q>') */ SELECT 1",
        "EXPLAIN CALL kill_query('<Q>')",
        "'CALL kill_query(''<Q>'')'",
    ] {
        assert_eq!(killed(sql, ["system", "runtime"]), None, "{sql}");
    }
}

#[test]
fn peers_6_2_other_catalogs_and_schemas() {
    for (sql, session) in [
        ("CALL notsystem.runtime.kill_query('<Q>')", ["-", "-"]),
        ("CALL notsystem.runtime.kill_query('<Q>')", ["system", "runtime"]),
        ("CALL runtime.kill_query('<Q>')", ["notsystem", "-"]),
        ("CALL runtime.kill_query('<Q>')", ["-", "-"]),
        ("CALL notruntime.kill_query('<Q>')", ["system", "-"]),
        ("CALL notruntime.kill_query('<Q>')", ["system", "runtime"]),
        ("CALL kill_query('<Q>')", ["system", "notruntime"]),
        ("CALL kill_query('<Q>')", ["system", "-"]),
        ("CALL kill_query('<Q>')", ["-", "runtime"]),
        ("CALL a.system.runtime.kill_query('<Q>')", ["system", "runtime"]),
        ("CALL system.runtime.kill_query_not('<Q>')", ["system", "runtime"]),
    ] {
        assert_eq!(killed(sql, session), None, "{sql} in {session:?}");
    }
}

#[test]
fn peers_6_2_first_argument_not_a_literal() {
    for sql in [
        "CALL kill_query(lower('<Q>'))",
        "CALL kill_query('<Q>' || '')",
        "CALL kill_query(x, '<Q>')",
        "CALL kill_query(?, '<Q>')",
        "CALL kill_query(\"<Q>\")",
        "CALL kill_query(query_id => concat('<Q>'))",
        "CALL kill_query(query_id => '<Q>' || 'x')",
        "CALL kill_query(query_id = '<Q>')",
        "CALL kill_query(message => '<Q>')",
        "CALL kill_query('not an id', '<Q>')",
        "CALL kill_query('<Q> ')",
        "CALL kill_query()",
        "CALL kill_query('<Q>'",
        "CALL kill_query('<Q>",
        "CALL kill_query '<Q>'",
        "CALL kill_query",
        "CALL",
        "",
    ] {
        assert_eq!(killed(sql, ["system", "runtime"]), None, "{sql}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics(rest in "(['\"(),.]|=>|query_id|message|kill_query|--|\\s|.){0,30}") {
        let _ = kill_query(&format!("CALL {rest}"), Some("system"), Some("runtime"));
        let _ = kill_query(&format!("CALL kill_query({rest}"), Some("system"), Some("runtime"));
    }
}

#[test]
fn the_message_is_the_literal_that_the_call_names() {
    for (sql, expected) in [
        ("CALL system.runtime.kill_query('<Q>', 'enough')", Some("enough")),
        ("CALL system.runtime.kill_query('<Q>', 'it''s, over' )", Some("it's, over")),
        ("CALL system.runtime.kill_query(query_id => '<Q>', message => 'm')", Some("m")),
        ("CALL system.runtime.kill_query(\"Message\" => 'm', query_id => '<Q>')", Some("m")),
        ("CALL system.runtime.kill_query('<Q>', '')", Some("")),
        ("EXECUTE IMMEDIATE 'CALL system.runtime.kill_query(''<Q>'', ''a''''b'')'", Some("a'b")),
        ("CALL system.runtime.kill_query('<Q>')", None),
        ("CALL system.runtime.kill_query(query_id => '<Q>')", None),
        ("CALL system.runtime.kill_query('<Q>', NULL)", None),
        ("CALL system.runtime.kill_query('<Q>', 'a' || 'b')", None),
        ("CALL system.runtime.kill_query('<Q>', 'open", None),
        ("CALL system.runtime.other('<Q>', 'm')", None),
        ("SELECT 'CALL system.runtime.kill_query(1, ''m'')'", None),
    ] {
        let sql = sql.replace("<Q>", Q);
        assert_eq!(kill_message(&sql, None, None).as_deref(), expected, "{sql}");
    }
}
