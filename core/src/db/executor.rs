//! `&Db` as an sqlx executor: each statement borrows a connection for itself.

use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::TryStreamExt;
use sqlx::{Execute, Executor, SqlStr};
use sqlx_core::describe::Describe;

use super::driver::{Driver, Step};
use super::pool::Purpose;
use super::session::Statement;
use super::{Conn, Db, Error};

impl<'p, DB: Driver> Executor<'p> for &'p Db<DB> {
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step<DB>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let statement = Statement::from_query(query);
        Box::pin(async_stream::try_stream! {
            let mut conn = borrow(self, statement.text()).await?;
            let mut rows = conn.fetch_many(statement);
            while let Some(row) = rows.try_next().await? {
                yield row;
            }
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<DB::Row>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut statement = Statement::from_query(query);
        Box::pin(async move {
            let mut conn = borrow(self, statement.text()).await?;
            conn.first_row(&mut statement, true).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(
            async move { borrow(self, sql.clone()).await?.prepare_with(sql, parameters).await },
        )
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move { borrow(self, sql.clone()).await?.describe(sql).await })
    }
}

async fn borrow<DB: Driver>(db: &Db<DB>, sql: SqlStr) -> Result<Conn<DB>, sqlx::Error> {
    db.conn_for(Purpose::Statement(sql)).await.map_err(Error::into_sqlx)
}
