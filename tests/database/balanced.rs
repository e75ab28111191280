//! One name with several servers behind it: an id is asked about and ended on the server that gave it, or nowhere.

use std::time::Duration;

use anyhost_core::Paradigm;
use anyhost_core::db::Db;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{MariaDb, Postgres};
use sqlx::mysql::MySqlPoolOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::kit::{counted, direct, eventually, fill, open};

/// A port that leads to these in turn, as a reader endpoint or a balancer does.
pub(crate) async fn balance<const N: usize>(ports: [u16; N]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for to in ports.into_iter().cycle() {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

async fn postgres(servers: &[Postgres; 2], size: usize) -> Db<sqlx::Postgres> {
    let port = balance(servers.each_ref().map(Postgres::port)).await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let settings = [("DATABASE_POOL_SIZE", &*size.to_string())];
    let (_host, db) = open(Paradigm::LongRunning, &url, &settings).await.unwrap();
    fill(&db).await;
    db
}

async fn mariadb(servers: &[MariaDb; 2], size: usize) -> Db<sqlx::MySql> {
    for server in servers {
        server.sql("CREATE DATABASE shop");
    }
    let port = balance(servers.each_ref().map(MariaDb::port)).await;
    let url = format!("mysql://app@127.0.0.1:{port}/shop");
    let settings = [("DATABASE_POOL_SIZE", &*size.to_string())];
    let (_host, db) = open(Paradigm::LongRunning, &url, &settings).await.unwrap();
    fill(&db).await;
    db
}

async fn sleep_on_postgres(db: Db<sqlx::Postgres>, seconds: u32) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_sleep($1)").bind(f64::from(seconds)).execute(&db).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn long_statements_live_whichever_server_an_idle_connection_leads_to() {
    let servers = [Postgres::start(&[]), Postgres::start(&[])];
    let db = postgres(&servers, 4).await;
    // With idle connections to ask by, then with none, so that a further one is opened to either server.
    for statements in [1, 2, 4] {
        let long = (0..statements).map(|_| tokio::spawn(sleep_on_postgres(db.clone(), 8)));
        for answer in long.collect::<Vec<_>>() {
            answer.await.unwrap().unwrap();
        }
    }
    assert_eq!(db.stats().closed.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_long_statements_live_whichever_server_is_asked() {
    let servers = [MariaDb::start(&[]), MariaDb::start(&[])];
    let db = mariadb(&servers, 4).await;
    let long = (0..2).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { sqlx::query("SELECT SLEEP(8)").execute(&db).await })
    });
    for answer in long.collect::<Vec<_>>() {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(db.stats().closed.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb_cancelled_queries_end_on_their_own_server_and_nobody_elses_connections_do() {
    const STRANGERS: u32 = 30;
    let servers = [MariaDb::start(&[]), MariaDb::start(&[])];
    let db = mariadb(&servers, 4).await;
    let mut strangers = Vec::new();
    for server in &servers {
        let url = format!("mysql://app@127.0.0.1:{}/shop", server.port());
        let pool = MySqlPoolOptions::new().max_connections(STRANGERS).connect(&url).await.unwrap();
        let taken = (0..STRANGERS).map(|_| pool.acquire());
        strangers
            .extend(futures_util::future::join_all(taken).await.into_iter().map(Result::unwrap));
    }
    for _ in 0..20 {
        let work = sqlx::query("SELECT SLEEP(61)").execute(&db);
        assert!(timeout(Duration::from_millis(50), work).await.is_err());
    }
    // The work of ours ends wherever it was.
    for server in &servers {
        let at_work = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
             WHERE INFO LIKE 'SELECT SLEEP(61)%'";
        eventually("what was cancelled has ended", async || server.sql(at_work) == "0").await;
    }
    for stranger in &mut strangers {
        sqlx::query("SELECT 1").execute(&mut **stranger).await.expect("it was left alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_behind_a_balancer_is_found_on_the_server_that_owed_it() {
    use anyhost_tests::servers::Proxy;
    let servers = [Postgres::start(&[]), Postgres::start(&[])];
    let ways = servers.each_ref().map(|server| Proxy::start(server.port()));
    let port = balance(ways.each_ref().map(Proxy::port)).await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let (_host, db) =
        open(Paradigm::LongRunning, &url, &[("DATABASE_POOL_SIZE", "4")]).await.unwrap();
    fill(&db).await;
    let lost: Vec<_> = (0..4).map(|_| tokio::spawn(sleep_on_postgres(db.clone(), 1))).collect();
    const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
         AND query LIKE 'SELECT pg_sleep%'";
    for server in &servers {
        counted(&mut direct(&server.url()).await, SLEEPING, 2, PATIENCE).await;
    }
    ways[0].forget();
    let mut answers = Vec::new();
    for answer in lost {
        answers.push(timeout(PATIENCE, answer).await.expect("it does not wait for ever").unwrap());
    }
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 2, "{answers:?}");
}
