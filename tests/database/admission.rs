//! The questions that a new connection asks its server, on servers that can answer only some of them.

use anyhost_core::Paradigm;
use anyhost_tests::process::PATIENCE;
use anyhost_tests::servers::{Postgres, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};

use crate::kit::{abandon_at_work, counted, direct, open};

/// Changes what passes between a client and a server, without making it longer or shorter.
type Change = fn(&mut [u8]);

/// A server of 13, which most of what is asked is unknown to.
fn older(bytes: &mut [u8]) {
    replace(bytes, b"server_version\0", b"13");
}

/// A server that says it is of 16, and may not have what those have.
fn newer(bytes: &mut [u8]) {
    replace(bytes, b"server_version\0", b"16");
}

/// A server on a system that cannot detect disconnected clients.
fn blind(bytes: &mut [u8]) {
    replace(bytes, b"SET client_connection_check_interval = ", b"-99");
}

fn replace(bytes: &mut [u8], after: &[u8], with: &[u8]) {
    let found = bytes.windows(after.len()).position(|part| part == after);
    if let Some(at) = found.map(|at| at + after.len()) {
        bytes[at..at + with.len()].copy_from_slice(with);
    }
}

/// The URL of a server as it is with this change on the way.
async fn changed(server: &Postgres, change: Change) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = server.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(pass(from_client, to_server, change));
            tokio::spawn(pass(from_server, to_client, change));
        }
    });
    server.url().replace(&format!(":{to}/"), &format!(":{port}/"))
}

async fn pass(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, change: Change) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        change(&mut bytes[..read]);
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_takes_is_learnt_whatever_its_version_can_say() {
    let server = Postgres::start(&[
        "max_connections=60",
        "superuser_reserved_connections=7",
        "idle_session_timeout=90s",
    ]);
    let url = server.url();
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    let plan = db.plan().to_string();
    assert!(plan.contains("60") && plan.contains('7'), "{plan}");
    let own = direct(&url).await.server_version_num().unwrap() / 10_000;
    let cases = [(older as Change, 13, "100ms"), (newer, 16, "100ms"), (blind, own, "0")];
    for (change, version, looks) in cases {
        let url = changed(&server, change).await;
        let said = direct(&url).await.server_version_num();
        assert_eq!(said.map(|said| said / 10_000), Some(version));
        let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap();
        assert_eq!(db.plan().to_string(), plan);
        let found: String = sqlx::query_scalar("SHOW client_connection_check_interval")
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(found, looks);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_query_ends_where_the_server_cannot_look() {
    const SLEEPING: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(611)'";
    let server = Postgres::start(&[]);
    let mut own = direct(&server.url()).await;
    let url = changed(&server, blind).await;
    let (_host, db) = open::<sqlx::Postgres>(Paradigm::LongRunning, &url, &[]).await.unwrap();
    abandon_at_work(&mut own, SLEEPING, sqlx::query("SELECT pg_sleep(611)").execute(&db)).await;
    counted(&mut own, SLEEPING, 0, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_database_costs_one_round_trip_more_than_a_bare_connection() {
    let server = Postgres::shared();
    let (one, other) = (Proxy::start(server.port()), Proxy::start(server.port()));
    let _bare = direct(&one.url(&server.url())).await;
    let url = other.url(&server.url());
    let _opened = open::<sqlx::Postgres>(Paradigm::Serverless, &url, &[]).await.unwrap();
    assert_eq!(other.round_trips(), one.round_trips() + 1);
}
