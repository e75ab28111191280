//! A database that takes no writes goes on being read; a transaction that may not write costs nothing.

use std::time::Instant;

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres, Proxy};

use crate::balanced::balance;
use crate::kit::{CLIENTS, backend, counted, direct, long_running, open};

/// Makes `t`, and a function that forbids writes in a transaction without showing it in the statement.
const FORBIDS_WRITES: &str = "CREATE TABLE t (a int); \
     CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS \
       $$ BEGIN SET LOCAL transaction_read_only = on; END $$";

/// Waits until the pool has asked the server on a connection beside its two, and that connection is closed.
async fn asked_beside(proxy: &Proxy, accepted: usize, url: &str) {
    let until = Instant::now() + PATIENCE;
    while proxy.accepted() == accepted {
        assert!(Instant::now() < until, "the server was not asked");
    }
    counted(&mut direct(url).await, CLIENTS, 2, PATIENCE).await;
}

async fn insert(db: &Db<sqlx::Postgres>) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO t VALUES (1)").execute(db).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_any_more_is_read_by_old_and_new_processes_alike() {
    let server = Postgres::start(&[]);
    let url = server.url();
    server.sql("CREATE TABLE t (a int)");
    let db = long_running(&url, 3).await;
    let before = backend(&db).await;
    insert(&db).await.unwrap();
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    let until = Instant::now() + PATIENCE;
    // A session takes the new setting over when it next waits for its client.
    while insert(&db).await.is_ok() {
        assert!(Instant::now() < until);
    }
    let fresh = long_running(&url, 1).await;
    for db in [&db, &fresh] {
        for _ in 0..5 {
            let error = insert(db).await.unwrap_err();
            assert_eq!(error.as_database_error().unwrap().code().unwrap(), "25006");
            let _: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(db).await.unwrap();
            let mut tx = db.begin().await.unwrap();
            sqlx::query("SELECT a FROM t").fetch_all(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(backend(&db).await, before);
    assert_eq!(db.stats().closed.total(), 0);
    // It takes writes again.
    let mut own = direct(&url).await;
    sqlx::raw_sql("SET default_transaction_read_only = off").execute(&mut own).await.unwrap();
    sqlx::raw_sql("ALTER SYSTEM RESET default_transaction_read_only")
        .execute(&mut own)
        .await
        .unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()").execute(&mut own).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while insert(&db).await.is_err() {
        assert!(Instant::now() < until, "not recovered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_a_transaction_that_may_not_write_costs_nothing() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    sqlx::raw_sql(FORBIDS_WRITES).execute(&db).await.unwrap();
    let (one, other) = (db.conn().await.unwrap(), db.conn().await.unwrap());
    drop((one, other));
    let accepted = proxy.accepted();
    for asks in [
        "SET TRANSACTION READ ONLY",
        "SET LOCAL transaction_read_only = on",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
    ] {
        for _ in 0..5 {
            let mut tx = db.begin().await.unwrap();
            sqlx::raw_sql(asks).execute(&mut *tx).await.unwrap();
            sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *tx).await.unwrap_err();
            tx.rollback().await.unwrap();
        }
    }
    assert_eq!((proxy.accepted(), db.stats().closed.total()), (accepted, 0));
    // If the statements do not show it, the server is asked on a separate connection, and nothing is closed.
    let mut tx = db.begin().await.unwrap();
    sqlx::query("SELECT f()").execute(&mut *tx).await.unwrap();
    sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *tx).await.unwrap_err();
    tx.rollback().await.unwrap();
    asked_beside(&proxy, accepted, &url).await;
    insert(&db).await.unwrap();
    assert_eq!(db.stats().closed.total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_refused_costs_a_busy_pool_nothing() {
    let url = Postgres::shared().database();
    let proxy = Proxy::start(Postgres::shared().port());
    let db = long_running(&proxy.url(&url), 2).await;
    sqlx::raw_sql(FORBIDS_WRITES).execute(&db).await.unwrap();
    let one = db.conn().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let accepted = proxy.accepted();
    sqlx::query("SELECT f()").execute(&mut *tx).await.unwrap();
    sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *tx).await.unwrap_err();
    let waits = tokio::spawn({
        let db = db.clone();
        async move { db.conn().await.unwrap() }
    });
    while db.state().waiting == 0 {
        tokio::task::yield_now().await;
    }
    tx.rollback().await.unwrap();
    let other = waits.await.unwrap();
    // The server is asked while every connection is in use.
    asked_beside(&proxy, accepted, &url).await;
    drop((one, other));
    for _ in 0..10 {
        let (mut one, mut other) = (db.conn().await.unwrap(), db.conn().await.unwrap());
        for conn in [&mut one, &mut other] {
            sqlx::query("INSERT INTO t VALUES (1)").execute(&mut **conn).await.unwrap();
        }
    }
    assert_eq!(db.stats().closed.total(), 0, "{:?}", db.stats().closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_cannot_write_are_left_for_a_server_that_takes_writes() {
    let server = Postgres::start(&[]);
    // A failover: connections opened before lead to the reader, later ones to the writer.
    let made = "CREATE TABLE t (a int); \
         CREATE FUNCTION demote() RETURNS void LANGUAGE plpgsql AS \
           $$ BEGIN SET default_transaction_read_only = on; END $$";
    server.sql(made);
    let db = long_running(&server.url(), 2).await;
    let (mut one, mut other) = (db.conn().await.unwrap(), db.conn().await.unwrap());
    for conn in [&mut one, &mut other] {
        sqlx::query("SELECT demote()").execute(&mut **conn).await.unwrap();
    }
    drop((one, other));
    let error = insert(&db).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "25006");
    let until = Instant::now() + PATIENCE;
    while insert(&db).await.is_err() {
        assert!(Instant::now() < until, "the writer was not found");
        backend(&db).await;
    }
    assert_eq!(db.stats().closed.outdated, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_host_that_freezes_the_next_connection_looks_for_a_writer() {
    let server = Postgres::start(&[]);
    server.sql("CREATE TABLE t (a int)");
    let made = "CREATE FUNCTION demote() RETURNS void LANGUAGE plpgsql AS \
           $$ BEGIN SET default_transaction_read_only = on; END $$";
    server.sql(made);
    let (_host, db) =
        open::<sqlx::Postgres>(Paradigm::Serverless, &server.url(), &[]).await.unwrap();
    sqlx::query("SELECT demote()").execute(&db).await.unwrap();
    let before = backend(&db).await;
    insert(&db).await.unwrap_err();
    assert_ne!(backend(&db).await, before);
    insert(&db).await.unwrap();
    assert_eq!(db.stats().created, 2);
}

/// A reader of Aurora has this setting alone.
#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_a_server_whose_tables_are_read_only_is_left_for_a_writer() {
    let servers = [MariaDb::start(&["innodb-read-only=1"]), MariaDb::start(&[])];
    servers.iter().for_each(|server| drop(server.sql("CREATE DATABASE shop")));
    // A failover: what is opened first leads to the reader.
    let [reader, writer] = servers.each_ref().map(MariaDb::port);
    let port = balance([reader, writer, writer, writer]).await;
    let url = format!("mysql://app@127.0.0.1:{port}/shop");
    let settings = [("DATABASE_POOL_SIZE", "1")];
    let (_host, db) = open::<sqlx::MySql>(Paradigm::LongRunning, &url, &settings).await.unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        let writes = "DELETE FROM mysql.gtid_slave_pos";
        let Err(error) = sqlx::raw_sql(writes).execute(&db).await else { break };
        assert!(Instant::now() < until, "{error}: the writer was not found");
        let _: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&db).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_an_option_that_forbids_a_statement_is_not_taken_for_a_read_only_server() {
    let server = MariaDb::start(&["secure-file-priv=/var/lib"]);
    let (_host, db) = open::<sqlx::MySql>(
        Paradigm::LongRunning,
        &server.database(),
        &[("DATABASE_POOL_SIZE", "1")],
    )
    .await
    .unwrap();
    sqlx::raw_sql("CREATE TABLE t (a int)").execute(&db).await.unwrap();
    for _ in 0..5 {
        let error = sqlx::query("SELECT 1 INTO OUTFILE '/tmp/a'").execute(&db).await.unwrap_err();
        assert!(error.to_string().contains("1290"), "{error}");
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql("SAVEPOINT s").execute(&mut *tx).await.unwrap();
        tx.rollback().await.unwrap();
        // 1792
        let text = "START TRANSACTION READ ONLY; INSERT INTO t VALUES (1)";
        let mut conn = db.conn().await.unwrap();
        sqlx::raw_sql(text).execute(&mut *conn).await.unwrap_err();
        sqlx::raw_sql("ROLLBACK").execute(&mut *conn).await.unwrap();
    }
    assert_eq!(db.stats().closed.outdated, 0);
    assert_eq!(db.stats().closed.lost, 0);
}
