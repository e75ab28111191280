//! A session that may have been changed is not handed on, and one that was not is.

use anyhost_core::Paradigm;
use anyhost_core::db::{Db, Stats};
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::MySql;

use crate::kit::{backend, direct, long_running, open};
use crate::transactions::sqlite;

/// How many connections were closed after a statement of this kind.
fn changes(stats: &Stats, kind: &str) -> u64 {
    let found = stats.changes.iter().find(|(name, _)| *name == kind);
    found.unwrap_or_else(|| panic!("{kind} is no kind of {:?}", stats.changes)).1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_changed_a_session_ends_its_use_and_is_counted_by_kind() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    sqlx::raw_sql("CREATE TABLE t (a int); CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'")
        .execute(&db)
        .await
        .unwrap();
    for (kind, statement) in [
        ("TEMPORARY", "SELECT 1 AS a INTO TEMP made"),
        ("TEMPORARY", "WITH a AS (SELECT 1) SELECT * INTO TEMPORARY made FROM a"),
        ("TEMPORARY", "CREATE TABLE pg_temp.made (a int)"),
        ("TEMPORARY", "SELECT 1 AS a INTO TABLE pg_temp.made"),
        ("function", "SELECT U&\"\\0070g_advisory_lock\"(8)"),
        ("TEMPORARY", "CREATE FUNCTION \"pg_temp\".made() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        ("DISCARD", "DISCARD ALL"),
        ("RESET", "RESET ALL"),
        ("SET", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
        ("SET", "UPDATE pg_settings SET setting = 'elsewhere' WHERE name = 'search_path'"),
        ("PREPARE", "DEALLOCATE ALL"),
        ("DECLARE", "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT"),
        ("CALL", "CALL p()"),
        ("DO", "DO $$ BEGIN PERFORM set_config('search_path', 'elsewhere', false); END $$"),
        ("function", "SELECT setseed(0.5)"),
        ("function", "INSERT INTO t SELECT 1 WHERE pg_try_advisory_lock(7)"),
        ("other", "LOAD 'plpgsql'"),
        ("raw", ""),
    ] {
        let (before, counted) = (backend(&db).await, changes(&db.stats(), kind));
        match kind {
            "raw" => drop(db.conn().await.unwrap().raw()),
            _ => drop(sqlx::raw_sql(statement).execute(&db).await.expect(statement)),
        }
        assert_eq!(changes(&db.stats(), kind), counted + 1, "{statement}");
        assert_ne!(backend(&db).await, before, "{statement}");
    }
    let stats = db.stats();
    assert_eq!(stats.closed.changed, stats.changes.iter().map(|(_, count)| count).sum::<u64>());
    let metrics = stats.metrics();
    assert!(metrics.iter().any(|metric| metric.name == "anyhost.db.connection.changed"
        && metric.attributes.contains(&("anyhost.db.statement.kind", "DISCARD".into()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_behind_a_string_that_ends_elsewhere_than_by_default_ends_the_use_of_its_session()
{
    let url = Postgres::shared().database();
    let off = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', \
         current_database()); END $$";
    sqlx::raw_sql(off).execute(&mut direct(&url).await).await.unwrap();
    let db = long_running(&url, 1).await;
    let before = backend(&db).await;
    let text = r"SELECT '\'', pg_advisory_lock(7)::text, '\''";
    sqlx::query(text).execute(&db).await.unwrap();
    assert_ne!(backend(&db).await, before);
    assert_eq!(changes(&db.stats(), "other"), 1);

    let server = MariaDb::start(&["sql_mode=NO_BACKSLASH_ESCAPES"]);
    let settings = [("DATABASE_POOL_SIZE", "1")];
    let (_host, db) =
        open::<MySql>(Paradigm::LongRunning, &server.database(), &settings).await.unwrap();
    let before = connection(&db).await;
    sqlx::query(r"DO LENGTH('c:\'), GET_LOCK('mine', 0)").execute(&db).await.unwrap();
    assert_ne!(connection(&db).await, before);
    assert_eq!(changes(&db.stats(), "other"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_closed_for_what_ends_with_its_transaction() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    sqlx::raw_sql("CREATE TABLE t (a int UNIQUE DEFERRABLE)").execute(&db).await.unwrap();
    let before = backend(&db).await;
    for statements in [
        "SET LOCAL search_path = elsewhere",
        "SET CONSTRAINTS ALL DEFERRED",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "CREATE TEMP TABLE gone (a int) ON COMMIT DROP; INSERT INTO gone VALUES (1)",
        "CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT 1",
        "SELECT set_config('search_path', 'elsewhere', true)",
        "SELECT set_config('app.who', concat('a', 'b; c)'), 't'::bool)",
        "DECLARE c CURSOR FOR SELECT 1; FETCH 1 FROM c",
        "SAVEPOINT s; INSERT INTO t VALUES (1); RELEASE s; DELETE FROM t",
        "SELECT pg_advisory_xact_lock(1)",
        "LOCK TABLE t",
        "INSERT INTO t VALUES (length('a; SET search_path = b')); DELETE FROM t -- ; RESET ALL",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET LOCAL a.b = 1; END $$",
    ] {
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql(statements).execute(&mut *tx).await.expect(statements);
        tx.commit().await.unwrap();
        assert_eq!(backend(&db).await, before, "{statements}");
        let text = format!("BEGIN; {statements}\n; ROLLBACK");
        if statements.starts_with("CREATE FUNCTION") {
            continue;
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&db).await.expect(statements);
        assert_eq!(backend(&db).await, before, "{statements}");
    }
    assert_eq!(db.stats().closed.total(), 0);
}

async fn mariadb() -> Db<MySql> {
    let settings = [("DATABASE_POOL_SIZE", "1")];
    open(Paradigm::LongRunning, &MariaDb::shared().database(), &settings).await.unwrap().1
}

async fn connection(db: &Db<MySql>) -> u64 {
    sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_what_may_have_changed_a_session_ends_its_use() {
    let db = mariadb().await;
    let made = "CREATE TABLE t (a int); \
         CREATE PROCEDURE p() BEGIN SET @who = 1; CREATE TEMPORARY TABLE mine (a int); END";
    sqlx::raw_sql(made).execute(&db).await.unwrap();
    for (kind, statement) in [
        ("LOCK", "LOCK TABLE t WRITE"),
        ("variable", "SELECT @who := 1"),
        ("variable", "SELECT 1 INTO @who"),
        ("SET", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        ("SET", "SET STATEMENT max_statement_time = 1 FOR SET @who = 1"),
        ("CALL", "CALL p()"),
        ("other", "HANDLER t OPEN"),
        ("other", "SELECT 1 /*!50000 INTO @who */"),
        ("other", "BEGIN NOT ATOMIC SET @who = 1; END"),
        ("PREPARE", "PREPARE mine FROM 'SELECT 1'"),
        ("function", "DO GET_LOCK ('mine', 0)"),
        // The server closes the connection.
        ("other", "COMMIT RELEASE"),
        ("other", "BEGIN; ROLLBACK AND NO CHAIN RELEASE"),
    ] {
        let (before, counted) = (connection(&db).await, changes(&db.stats(), kind));
        sqlx::raw_sql(statement).execute(&db).await.expect(statement);
        assert_eq!(changes(&db.stats(), kind), counted + 1, "{statement}");
        assert_ne!(connection(&db).await, before, "{statement}");
    }
    let before = connection(&db).await;
    for statement in [
        "INSERT INTO t VALUES (LENGTH('it\\'s; SET @who = 1'))",
        "SELECT @@version, @who",
        "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
        "BEGIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; COMMIT",
        "SELECT /*+ a hint */ 1 # ; SET @who = 1",
        "DO SLEEP(0)",
    ] {
        sqlx::raw_sql(statement).execute(&db).await.expect(statement);
        assert_eq!(connection(&db).await, before, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_savepoint_outside_of_a_transaction_swallows_nobodys_work() {
    let (folder, db) = sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a INTEGER)").execute(&db).await.unwrap();
    for opens in
        ["SAVEPOINT s", "SAVEPOINT s; INSERT INTO t VALUES (-1)", "BEGIN", "savepoint 'a;b'"]
    {
        sqlx::raw_sql(opens).execute(&db).await.unwrap();
        for number in 0..5 {
            sqlx::query("INSERT INTO t VALUES (?)").bind(number).execute(&db).await.unwrap();
        }
    }
    // As after a restart: another process sees what was written.
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let (_host, other) = open::<sqlx::Sqlite>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&other).await.unwrap();
    assert_eq!(rows, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_what_may_have_changed_a_connection_ends_its_use() {
    let (folder, db) = sqlite().await;
    sqlx::raw_sql("CREATE TABLE t (a INTEGER)").execute(&db).await.unwrap();
    let attach = format!("ATTACH '{}' AS other", folder.path().join("other.db").display());
    for (kind, statement) in [
        ("PRAGMA", "PRAGMA foreign_keys = OFF"),
        ("PRAGMA", "PRAGMA main.query_only(1)"),
        ("PRAGMA", "SELECT 1; PRAGMA busy_timeout = 0"),
        ("ATTACH", &attach),
        ("TEMPORARY", "CREATE TABLE temp.mine (a int)"),
        ("TEMPORARY", "CREATE TEMP VIEW mine AS SELECT 1"),
    ] {
        let counted = changes(&db.stats(), kind);
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&db).await.unwrap();
        assert_eq!(changes(&db.stats(), kind), counted + 1);
    }
    // A pragma takes effect while its statement is prepared.
    let counted = changes(&db.stats(), "PRAGMA");
    sqlx::Executor::prepare(&db, sqlx::SqlStr::from_static("PRAGMA query_only = 1")).await.unwrap();
    assert_eq!(changes(&db.stats(), "PRAGMA"), counted + 1);
    let closed = db.stats().closed.total();
    for statement in [
        "PRAGMA foreign_keys",
        "PRAGMA table_info(t)",
        "PRAGMA user_version = 3",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "INSERT INTO t VALUES (length('; ATTACH a'))",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = -1; END",
        "BEGIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; RELEASE s; COMMIT",
    ] {
        sqlx::raw_sql(statement).execute(&db).await.expect(statement);
        assert_eq!(db.stats().closed.total(), closed, "{statement}");
    }
    let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&db).await.unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_the_next_borrower_of_a_database_that_was_made_anew_has_it() {
    let url = MariaDb::shared().database();
    let settings = [("DATABASE_POOL_SIZE", "1")];
    let (_host, db) = open::<MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let name = url.rsplit_once('/').unwrap().1;
    for text in [
        format!("DROP DATABASE {name}; CREATE DATABASE {name}"),
        format!("drop schema if exists `{name}`; create schema `{name}`"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&db).await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_a_session_has_discarded_itself_are_prepared_again() {
    let db = long_running(&Postgres::shared().database(), 1).await;
    for discards in ["DEALLOCATE ALL", "DISCARD ALL", "discard plans", "DEALLOCATE \"sqlx_s_1\""] {
        let mut conn = db.conn().await.unwrap();
        for _ in 0..2 {
            for text in ["SELECT $1::int", "INSERT INTO pg_temp.t VALUES ($1)"] {
                let temporary = "CREATE TEMP TABLE IF NOT EXISTS t (a int)";
                sqlx::raw_sql(temporary).execute(&mut *conn).await.unwrap();
                sqlx::query(text).bind(1).execute(&mut *conn).await.expect(discards);
            }
            sqlx::raw_sql(discards).execute(&mut *conn).await.ok();
        }
    }
    // If that cannot be seen, the error is the database's own.
    let mut conn = db.conn().await.unwrap();
    sqlx::query("SELECT $1::int").bind(1).execute(&mut *conn).await.unwrap();
    let hidden = "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$";
    sqlx::raw_sql(hidden).execute(&mut *conn).await.unwrap();
    let error = sqlx::query("SELECT $1::int").bind(1).execute(&mut *conn).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "26000");
}
