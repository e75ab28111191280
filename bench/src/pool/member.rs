//! One pool: ours or a peer's, behind the same two calls.

use std::time::Duration;

use anyhost_core::db::Db;
use anyhost_core::{Host, Paradigm, Settings};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, Postgres};
use tokio_postgres::NoTls;

/// The text of every query: as short as the query of a service can be.
const QUERY: &str = "SELECT title FROM notes WHERE id = $1";

/// The note that is asked for.
const ID: i64 = 7;

/// A pool of connections.
#[derive(Clone)]
pub(crate) enum Member {
    Ours(Db<Postgres>),
    Sqlx(PgPool),
    Bb8(bb8::Pool<Manager>),
    Bare(deadpool::managed::Pool<Manager>),
    Deadpool(deadpool_postgres::Pool),
}

impl Member {
    /// Ours, and how many connections it has: by its plan for this machine, or as many as are said.
    pub(crate) async fn ours(url: &str, size: Option<usize>) -> Result<(Self, usize), String> {
        let mut settings = vec![("DATABASE_URL", url.to_owned())];
        if let Some(size) = size {
            settings.push(("DATABASE_POOL_SIZE", size.to_string()));
            settings.push(("APP_OVERLAP", "1".to_owned()));
        }
        let host = Host::builder(Paradigm::LongRunning, "bench")
            .settings(Settings::from_pairs(settings))
            .build();
        let db = Db::open(&host.map_err(text)?).await.map_err(text)?;
        let size = db.plan().size();
        Ok((Self::Ours(db), size))
    }

    /// Ours in a cold serverless environment: one connection.
    pub(crate) async fn serverless(url: &str) -> Result<Self, String> {
        let host = Host::builder(Paradigm::Serverless, "bench")
            .settings(Settings::from_pairs([("DATABASE_URL", url)]))
            .build();
        Db::open(&host.map_err(text)?).await.map(Self::Ours).map_err(text)
    }

    /// sqlx's own, which by its defaults tests a connection before it is used.
    pub(crate) async fn sqlx(url: &str, size: usize, tested: bool) -> Result<Self, String> {
        let options = PgPoolOptions::new().max_connections(size as u32).test_before_acquire(tested);
        options.connect(url).await.map(Self::Sqlx).map_err(text)
    }

    pub(super) async fn bb8(url: &str, size: usize) -> Result<Self, String> {
        let manager = Manager(url.parse().map_err(text)?);
        let pool = bb8::Pool::builder().max_size(size as u32).build(manager).await;
        pool.map(Self::Bb8).map_err(text)
    }

    /// deadpool over sqlx's connections, none of which is ever tested: what a pool over this driver reaches that
    /// does nothing but lend.
    pub(super) fn bare(url: &str, size: usize) -> Result<Self, String> {
        let manager = Manager(url.parse().map_err(text)?);
        let pool = deadpool::managed::Pool::builder(manager).max_size(size).build();
        pool.map(Self::Bare).map_err(text)
    }

    pub(super) fn deadpool(url: &str, size: usize) -> Result<Self, String> {
        let config = url.parse::<tokio_postgres::Config>().map_err(text)?;
        let manager = deadpool_postgres::Manager::new(config, NoTls);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(size).build();
        pool.map(Self::Deadpool).map_err(text)
    }

    /// Borrows a connection, asks it for one row and gives it back.
    pub(crate) async fn query(&self) -> Result<(), String> {
        let title: String = match self {
            Self::Ours(db) => ask(db).await?,
            Self::Sqlx(pool) => ask(pool).await?,
            Self::Bb8(pool) => ask(&mut *pool.get().await.map_err(text)?).await?,
            Self::Bare(pool) => ask(&mut *pool.get().await.map_err(text)?).await?,
            Self::Deadpool(pool) => {
                let client = pool.get().await.map_err(text)?;
                let statement = client.prepare_cached(QUERY).await.map_err(text)?;
                client.query_one(&statement, &[&ID]).await.map_err(text)?.get(0)
            }
        };
        if title == "Note 7" { Ok(()) } else { Err(title) }
    }

    /// Closes what is open.
    pub(crate) async fn close(&self) {
        match self {
            Self::Ours(db) => {
                db.close(Duration::from_secs(1)).await;
            }
            Self::Sqlx(pool) => pool.close().await,
            // Closed by being dropped.
            Self::Bb8(_) | Self::Bare(_) | Self::Deadpool(_) => {}
        }
    }

    /// Borrows a connection and gives it back.
    pub(super) async fn checkout(&self) -> Result<(), String> {
        match self {
            Self::Ours(db) => drop(db.conn().await.map_err(text)?),
            Self::Sqlx(pool) => drop(pool.acquire().await.map_err(text)?),
            Self::Bb8(pool) => drop(pool.get().await.map_err(text)?),
            Self::Bare(pool) => drop(pool.get().await.map_err(text)?),
            Self::Deadpool(pool) => drop(pool.get().await.map_err(text)?),
        }
        Ok(())
    }
}

async fn ask<'e>(executor: impl Executor<'e, Database = Postgres>) -> Result<String, String> {
    sqlx::query_scalar(QUERY).bind(ID).fetch_one(executor).await.map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A manager of sqlx's connections: for bb8, which by default pings a connection before use, as sqlx's own pool does; and
/// for deadpool, which is configured here not to ping.
#[derive(Clone, Debug)]
pub(crate) struct Manager(PgConnectOptions);

impl bb8::ManageConnection for Manager {
    type Connection = PgConnection;
    type Error = sqlx::Error;

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn is_valid(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        connection.ping().await
    }

    fn has_broken(&self, _: &mut PgConnection) -> bool {
        false
    }
}

impl deadpool::managed::Manager for Manager {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn recycle(
        &self,
        _: &mut PgConnection,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<sqlx::Error> {
        Ok(())
    }
}
