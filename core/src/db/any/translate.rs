//! Statements, rows and results of sqlx's `Any` from and into those of one driver.

use std::sync::Arc;

use sqlx::any::{Any, AnyArguments, AnyQueryResult, AnyRow, AnyStatement};
use sqlx::error::BoxDynError;
use sqlx::{Column, Execute, SqlStr, Statement};
use sqlx_core::HashMap;
use sqlx_core::ext::ustr::UStr;

use crate::db::driver::Driver;

/// A driver whose values sqlx's `Any` can carry.
pub(super) trait Translate: Driver {
    fn arguments(arguments: AnyArguments) -> Result<Self::Arguments, BoxDynError>;

    fn row(row: &Self::Row) -> Result<AnyRow, sqlx::Error>;

    fn result(result: &Self::QueryResult) -> AnyQueryResult;

    fn statement(statement: Self::Statement) -> Result<AnyStatement, sqlx::Error>;
}

macro_rules! translate {
    ($driver:ty, $feature:literal, $last_insert_id:expr) => {
        #[cfg(feature = $feature)]
        impl Translate for $driver {
            fn arguments(arguments: AnyArguments) -> Result<Self::Arguments, BoxDynError> {
                arguments.convert_into()
            }

            fn row(row: &Self::Row) -> Result<AnyRow, sqlx::Error> {
                AnyRow::try_from(row)
            }

            fn result(result: &Self::QueryResult) -> AnyQueryResult {
                AnyQueryResult {
                    rows_affected: result.rows_affected(),
                    last_insert_id: $last_insert_id(result),
                }
            }

            fn statement(statement: Self::Statement) -> Result<AnyStatement, sqlx::Error> {
                let names = column_names(&statement);
                AnyStatement::try_from_statement(statement, names)
            }
        }
    };
}

translate!(sqlx::Postgres, "postgres", |_| None);
translate!(sqlx::Sqlite, "sqlite", |_| None);
translate!(sqlx::MySql, "mysql", |result: &Self::QueryResult| {
    i64::try_from(result.last_insert_id()).ok()
});

fn column_names<S: Statement>(statement: &S) -> Arc<HashMap<UStr, usize>> {
    let columns = statement.columns().iter();
    Arc::new(columns.map(|column| (UStr::new(column.name()), column.ordinal())).collect())
}

/// A statement of `Any`, taken from what sqlx runs.
pub(super) struct AnyQuery {
    sql: SqlStr,
    arguments: Result<Option<AnyArguments>, BoxDynError>,
    persistent: bool,
}

impl AnyQuery {
    pub(super) fn of<'q>(mut query: impl Execute<'q, Any>) -> Self {
        // The text last: it takes the query with it.
        let (arguments, persistent) = (query.take_arguments(), query.persistent());
        Self { sql: query.sql(), arguments, persistent }
    }

    pub(super) fn translate<DB: Translate>(self) -> Result<Query<DB>, sqlx::Error> {
        let arguments = self.arguments.map_err(sqlx::Error::Encode)?;
        let arguments = arguments.map(DB::arguments).transpose().map_err(sqlx::Error::Encode)?;
        Ok(Query { sql: self.sql, arguments, persistent: self.persistent })
    }
}

/// A statement in the values of one driver.
pub(super) struct Query<DB: Driver> {
    sql: SqlStr,
    arguments: Option<DB::Arguments>,
    persistent: bool,
}

impl<DB: Driver> Execute<'_, DB> for Query<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
