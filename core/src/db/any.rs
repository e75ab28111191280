//! A database whose kind is known only when the program starts.

mod translate;

use either::Either;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use sqlx::any::{Any, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Execute, Executor, SqlStr};
use sqlx_core::describe::Describe;

use super::driver::{Driver, Step};
use super::session::Statement;
use super::settings::{DatabaseSettings, Kind};
use super::{Db, Error};
use crate::Host;
use translate::{Translate, translate};

/// The database connections of one process, of the kind that `DATABASE_URL` names: one program for several kinds.
///
/// `&AnyDb` is an executor of sqlx's database `Any`. Its values are booleans, integers, floating-point numbers, text
/// and bytes, or `NULL`; cast a value of another type, as in `CAST(CURRENT_TIMESTAMP AS TEXT)`. The text of a
/// statement is sent as it is: `$1` is a parameter on PostgreSQL and SQLite, `?` on MySQL.
///
/// Each variant holds the [`Db`] of its kind, with transactions, and all types of its driver. A program for one kind of
/// database uses [`Db`] alone. [`kind`](super::kind) tells the kind before anything is opened.
///
/// ```no_run
/// # #[cfg(feature = "sqlite")]
/// # async fn example(host: &anyhost_core::Host) -> Result<(), anyhost_core::Error> {
/// use anyhost_core::db::AnyDb;
///
/// let db = AnyDb::open_or(host, "sqlite:notes.db?mode=rwc").await?;
/// let title: String =
///     sqlx::query_scalar("SELECT title FROM notes WHERE id = $1").bind(7).fetch_one(&db).await?;
/// # let _ = title;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyDb {
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(Db<sqlx::Postgres>),
    /// A MySQL or MariaDB database.
    #[cfg(feature = "mysql")]
    MySql(Db<sqlx::MySql>),
    /// A SQLite database.
    #[cfg(feature = "sqlite")]
    Sqlite(Db<sqlx::Sqlite>),
}

/// Runs an expression with the `Db` of the variant.
macro_rules! with_db {
    ($any:expr, $db:ident => $run:expr) => {
        match $any {
            #[cfg(feature = "postgres")]
            AnyDb::Postgres($db) => $run,
            #[cfg(feature = "mysql")]
            AnyDb::MySql($db) => $run,
            #[cfg(feature = "sqlite")]
            AnyDb::Sqlite($db) => $run,
        }
    };
}

impl AnyDb {
    /// Opens the database that `DATABASE_URL` names.
    ///
    /// # Errors
    /// [`Error::Setting`] if the program was built without the driver of this kind; otherwise as for
    /// [`DbBuilder::open`](super::DbBuilder::open).
    pub async fn open(host: &Host) -> Result<Self, Error> {
        Self::open_default(host, None).await
    }

    /// Opens the database that `DATABASE_URL` names, or the one of this URL if it is not set: for development.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn open_or(host: &Host, url: &str) -> Result<Self, Error> {
        Self::open_default(host, Some(url)).await
    }

    async fn open_default(host: &Host, default_url: Option<&str>) -> Result<Self, Error> {
        let url = DatabaseSettings::parse(host.settings(), default_url)?.url;
        match url.kind {
            #[cfg(feature = "postgres")]
            Kind::Postgres => Ok(Self::Postgres(open(host, default_url).await?)),
            #[cfg(feature = "mysql")]
            Kind::MySql => Ok(Self::MySql(open(host, default_url).await?)),
            #[cfg(feature = "sqlite")]
            Kind::Sqlite => Ok(Self::Sqlite(open(host, default_url).await?)),
            #[cfg(not(all(feature = "postgres", feature = "mysql", feature = "sqlite")))]
            kind => {
                let (name, feature) = (kind.name(), kind.feature());
                Err(url
                    .wrong(format!(
                        "names a {name} database, and the program was built without its driver; switch on the \
                         feature `{feature}` of the crate anyhost"
                    ))
                    .into())
            }
        }
    }
}

async fn open<DB: Driver>(host: &Host, default_url: Option<&str>) -> Result<Db<DB>, Error> {
    let builder = Db::builder(host);
    match default_url {
        Some(url) => builder.url_or(url).open().await,
        None => builder.open().await,
    }
}

impl<'p> Executor<'p> for &'p AnyDb {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<Any>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        with_db!(self, db => fetch_many(db, translate(query)))
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<AnyRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Any>,
    {
        with_db!(self, db => Box::pin(fetch_optional(db, translate(query))))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        _parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        with_db!(self, db => Box::pin(prepare(db, sql)))
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, sqlx::Error>>
    where
        'p: 'e,
    {
        with_db!(self, db => Box::pin(async move { db.describe(sql).await?.try_into_any() }))
    }
}

fn fetch_many<DB: Translate>(
    db: &Db<DB>,
    statement: Statement<DB>,
) -> BoxStream<'_, Result<Step<Any>, sqlx::Error>> {
    Box::pin(db.fetch_many(statement).map(|step| {
        Ok(match step? {
            Either::Left(result) => Either::Left(DB::result(&result)),
            Either::Right(row) => Either::Right(DB::row(&row)?),
        })
    }))
}

async fn fetch_optional<DB: Translate>(
    db: &Db<DB>,
    statement: Statement<DB>,
) -> Result<Option<AnyRow>, sqlx::Error> {
    let row = db.fetch_optional(statement).await?;
    row.as_ref().map(DB::row).transpose()
}

async fn prepare<DB: Translate>(db: &Db<DB>, sql: SqlStr) -> Result<AnyStatement, sqlx::Error> {
    DB::statement(db.prepare_with(sql, &[]).await?)
}
