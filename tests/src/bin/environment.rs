//! One process of an App as a serverless host would run it, driven over a socket so that a test can freeze it.
//!
//! Every connection to its port is one request: it runs one statement and answers with the backend that served
//! it, or with the error. Arguments: how it holds its connection
//! (`ours`, `ours-long-running`, `sqlx`, `bare`), the URL, and further settings (`NAME=value`). With `TRANSACTION`
//! the statement runs for ten minutes in a transaction of a request that may take one second.

#![expect(clippy::unwrap_used, reason = "a test sees how it ends")]
#![expect(clippy::print_stdout, reason = "it says where it listens")]

use std::time::{Duration, Instant};

use anyhost_core::adapter::{HostHandles as _, within};
use anyhost_core::db::Db;
use anyhost_core::{Host, Paradigm, Settings};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const STATEMENT: &str = "SELECT pg_backend_pid()";

enum ConnectionKind {
    Ours(Host, Db<sqlx::Postgres>),
    Sqlx(PgPool),
    Bare(PgConnection),
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, url, settings @ ..] = &arguments[..] else { panic!("expected how and the URL") };
    let more: Vec<_> = settings.iter().filter_map(|setting| setting.split_once('=')).collect();
    let mut held = match how.as_str() {
        "ours" => ours(Paradigm::Serverless, url, &more).await,
        "ours-long-running" => ours(Paradigm::LongRunning, url, &more).await,
        "sqlx" => {
            let options = PgPoolOptions::new().max_connections(1);
            ConnectionKind::Sqlx(
                options.acquire_timeout(Duration::from_secs(5)).connect(url).await.unwrap(),
            )
        }
        "bare" => ConnectionKind::Bare(PgConnection::connect(url).await.unwrap()),
        other => panic!("{other} is no way to hold a connection"),
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap().port());
    loop {
        let (mut caller, _) = listener.accept().await.unwrap();
        let served: Result<i32, sqlx::Error> = match &mut held {
            ConnectionKind::Ours(host, db) if host.settings().text("TRANSACTION").is_some() => {
                within(Instant::now() + Duration::from_secs(1), in_transaction(db)).await
            }
            ConnectionKind::Ours(host, db) => {
                host.epoch().advance();
                let served = sqlx::query_scalar(STATEMENT).fetch_one(&*db).await;
                host.databases().rest();
                served
            }
            ConnectionKind::Sqlx(pool) => sqlx::query_scalar(STATEMENT).fetch_one(&*pool).await,
            ConnectionKind::Bare(connection) => {
                sqlx::query_scalar(STATEMENT).fetch_one(connection).await
            }
        };
        let answer = match served {
            Ok(backend) => format!("ok {backend}"),
            Err(error) => format!("error {error}"),
        };
        caller.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn in_transaction(db: &Db<sqlx::Postgres>) -> Result<i32, sqlx::Error> {
    let mut tx = db.begin().await.unwrap();
    let row =
        sqlx::query_scalar("SELECT pg_backend_pid() FROM pg_sleep(600)").fetch_one(&mut *tx).await;
    tx.rollback().await.unwrap();
    row
}

async fn ours(paradigm: Paradigm, url: &str, more: &[(&str, &str)]) -> ConnectionKind {
    let own = [("DATABASE_URL", url), ("DATABASE_POOL_SIZE", "1")];
    let settings = Settings::from_pairs(own.iter().chain(more).copied());
    let host = Host::builder(paradigm, "test").settings(settings).build().unwrap();
    let db = Db::open(&host).await.unwrap();
    ConnectionKind::Ours(host, db)
}
