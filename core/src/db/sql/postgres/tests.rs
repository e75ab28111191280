//! Statements of PostgreSQL, and what each does to its session.

use super::*;
use crate::db::settings::Kind;
use crate::db::sql::effect;

const NONE: SessionEffect = SessionEffect::NONE;

fn effect_of(text: &str) -> SessionEffect {
    SessionEffect {
        rows: false,
        query: false,
        blank: false,
        commits: false,
        ..effect(text, Kind::Postgres)
    }
}

#[test]
fn what_leaves_the_session_as_it_was_is_known() {
    for text in [
        "SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "-- only a comment",
        "",
        ";;",
        "INSERT INTO t VALUES ('a; SET search_path = b')",
        "INSERT INTO temp VALUES (1) RETURNING a",
        "WITH moved AS (DELETE FROM a RETURNING *) INSERT INTO temp SELECT * FROM moved",
        "UPDATE settings SET a = 1",
        "SELECT * INTO kept FROM t",
        "SELECT setting FROM pg_settings",
        "SELECT pg_advisory_xact_lock(1), pg_advisory_unlock(2)",
        "SELECT set_config('app.tenant', $1, true), pg_catalog.set_config('a', f(1, 2), 't'::bool)",
        "SELECT current_setting('search_path'), is_locked(1), f(2)",
        "SET LOCAL lock_timeout = 1",
        "SET CONSTRAINTS ALL DEFERRED",
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "CREATE TEMPORARY TABLE t ON COMMIT DROP AS SELECT 1",
        "CREATE TABLE t (temp int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SET x = 1; SELECT 1 $$",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 1",
        "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1",
        "FETCH 1 FROM c",
        "SAVEPOINT a",
        "ROLLBACK TO SAVEPOINT a",
        "ROLLBACK WORK TO a",
        "COMMIT PREPARED 'a'",
        "EXPLAIN ANALYZE SELECT 1",
        "COPY t FROM STDIN",
        "NOTIFY a, 'set b = 1; set c'",
    ] {
        assert_eq!(effect_of(text), NONE, "{text}");
    }
}

#[test]
fn what_is_not_known_changes_the_session() {
    for (text, change) in [
        ("SET search_path = a", Change::Set),
        ("set\tsearch_path = a;", Change::Set),
        ("/* a tool's name */ SET SESSION search_path = elsewhere", Change::Set),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", Change::Set),
        ("SET ROLE a", Change::Set),
        ("BEGIN; SET TIME ZONE 'UTC'; COMMIT", Change::Set),
        ("UPDATE pg_catalog.pg_settings SET setting = 'a' WHERE name = 'b'", Change::Set),
        ("RESET ALL", Change::Reset),
        ("DISCARD ALL", Change::Discard),
        ("CREATE TEMP TABLE t (a int)", Change::Temporary),
        ("CREATE LOCAL TEMPORARY TABLE t (a int)", Change::Temporary),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Change::Temporary),
        ("CREATE TABLE pg_temp.t (a int)", Change::Temporary),
        ("CREATE TABLE \"pg_temp\".t (a int)", Change::Temporary),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Change::Temporary),
        ("SELECT 1 AS a INTO TEMP t", Change::Temporary),
        ("SELECT 1 AS a INTO TABLE pg_temp.t", Change::Temporary),
        ("SELECT 1 AS a INTO TEMPORARY TABLE t", Change::Temporary),
        ("WITH a AS (SELECT 1) SELECT * INTO TEMPORARY t FROM a", Change::Temporary),
        ("SELECT pg_advisory_lock(1)", Change::Function),
        ("SELECT PG_ADVISORY_LOCK (1)", Change::Function),
        ("SELECT \"pg_advisory_lock\"(1)", Change::Function),
        ("SELECT pg_try_advisory_lock_shared(1), pg_advisory_xact_lock(2)", Change::Function),
        ("SELECT U&\"\\0070g_advisory_lock\"(1)", Change::Function),
        ("SELECT pg_create_physical_replication_slot('a', false, true)", Change::Function),
        ("INSERT INTO t SELECT setseed(0)", Change::Function),
        ("SELECT set_config('app.tenant', $1, false)", Change::Function),
        ("SELECT set_config('app.tenant', $1, $2)", Change::Function),
        ("SELECT set_config('a', 'true', not true)", Change::Function),
        ("SELECT set_config('a', pg_advisory_lock(1)::text, true)", Change::Function),
        ("LISTEN news", Change::Listen),
        ("PREPARE a AS SELECT 1", Change::Prepare),
        ("DEALLOCATE ALL", Change::Prepare),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Change::Declare),
        ("CALL f()", Change::Call),
        ("DO $$ BEGIN END $$", Change::Do),
        ("LOAD 'auto_explain'", Change::Other),
        ("EXPLAIN ANALYZE EXECUTE a", Change::Other),
        ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", Change::Other),
        ("FROBNICATE", Change::Other),
        ("SELECT 1; ; FROBNICATE", Change::Other),
        ("'a'", Change::Other),
    ] {
        assert_eq!(effect_of(text).change, Some(change), "{text}");
    }
}

#[test]
fn beginnings_and_ends_of_transactions_are_known() {
    let read_only = SessionEffect { read_only: true, ..NONE };
    for (text, expected) in [
        ("  begin", SessionEffect::BEGINS),
        ("-- a comment\n-- and another\nbegin", SessionEffect::BEGINS),
        ("START TRANSACTION READ ONLY", SessionEffect { read_only: true, ..SessionEffect::BEGINS }),
        ("SET TRANSACTION READ ONLY", read_only),
        ("SET LOCAL transaction_read_only = on", read_only),
        ("COMMIT", SessionEffect::ENDS),
        ("END TRANSACTION", SessionEffect::ENDS),
        ("ABORT", SessionEffect::ENDS),
        ("ROLLBACK", SessionEffect::ENDS),
        ("PREPARE TRANSACTION 'a'", SessionEffect::ENDS),
        ("COMMIT AND CHAIN", SessionEffect::CHAINS),
        ("ROLLBACK WORK AND CHAIN", SessionEffect::CHAINS),
        ("COMMIT AND NO CHAIN", SessionEffect::ENDS),
        ("COMMIT; BEGIN", SessionEffect::CHAINS),
        ("BEGIN; INSERT INTO t VALUES (1); COMMIT", SessionEffect::ENDS),
        ("BEGIN; COMMIT; BEGIN", SessionEffect::CHAINS),
        ("ROLLBACK; BEGIN; COMMIT", SessionEffect::ENDS),
    ] {
        assert_eq!(effect_of(text), expected, "{text}");
    }
}

#[test]
fn what_makes_work_permanent_is_known() {
    for text in
        ["COMMIT", "end work", "BEGIN; COMMIT", "PREPARE TRANSACTION 'a'", "COMMIT AND CHAIN"]
    {
        assert!(effect(text, Kind::Postgres).commits, "{text}");
    }
    for text in ["BEGIN", "ROLLBACK", "COMMIT PREPARED 'a'", "PREPARE a AS SELECT 1"] {
        assert!(!effect(text, Kind::Postgres).commits, "{text}");
    }
}

#[test]
fn statements_that_return_rows_are_known() {
    for text in ["SELECT 1", "with a as (select 1) select 2", "DELETE FROM t RETURNING a"] {
        assert!(effect(text, Kind::Postgres).rows, "{text}");
    }
    assert!(!effect("INSERT INTO t VALUES ('returning')", Kind::Postgres).rows);
}
