//! Statements, rows and results of sqlx's `Any` from and into those of one driver.

use std::sync::Arc;

use sqlx::any::{Any, AnyArguments, AnyQueryResult, AnyRow, AnyStatement};
use sqlx::error::BoxDynError;
use sqlx::{Column, Execute};
use sqlx_core::HashMap;
use sqlx_core::ext::ustr::UStr;

use crate::db::driver::Driver;
use crate::db::session::Statement;

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

fn column_names<S: sqlx::Statement>(statement: &S) -> Arc<HashMap<UStr, usize>> {
    let columns = statement.columns().iter();
    Arc::new(columns.map(|column| (UStr::new(column.name()), column.ordinal())).collect())
}

/// Returns a statement of `Any` as one of a driver.
pub(super) fn translate<'q, DB: Translate>(mut query: impl Execute<'q, Any>) -> Statement<DB> {
    // The text last: it takes the query with it.
    let (arguments, persistent) = (query.take_arguments(), query.persistent());
    let arguments = arguments.and_then(|arguments| arguments.map(DB::arguments).transpose());
    Statement::new(query.sql(), arguments, persistent)
}
