//! A statement on its way to the driver: how it is prepared, and what it will leave behind.

mod effect;
mod forms;
mod lexer;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tokens;

use sqlx::error::BoxDynError;
use sqlx::{Execute, SqlStr};

use super::driver::Driver;
pub(super) use effect::{Change, Effect};
#[cfg(feature = "mysql")]
pub(super) use mysql::of_mysql;
#[cfg(feature = "postgres")]
pub(super) use postgres::of_postgres;
#[cfg(feature = "sqlite")]
pub(super) use sqlite::of_sqlite;

/// A statement, taken apart so that it is known before the driver has it.
pub(super) struct Statement<DB: Driver> {
    sql: SqlStr,
    arguments: Result<Option<DB::Arguments>, BoxDynError>,
    prepared: Option<DB::Statement>,
    persistent: bool,
}

impl<DB: Driver> Statement<DB> {
    pub(super) fn of<'q>(mut query: impl Execute<'q, DB>) -> Self {
        // The text last: it takes the query with it.
        let (arguments, persistent) = (query.take_arguments(), query.persistent());
        let prepared = query.statement().cloned();
        Self { sql: query.sql(), arguments, prepared, persistent }
    }

    /// The same; unnamed, it leaves nothing prepared on the server.
    pub(super) fn unnamed(mut self, unnamed: bool) -> Self {
        self.persistent &= !unnamed;
        self
    }

    /// Whether it goes out by the simple protocol: text alone, nothing prepared.
    pub(super) fn is_simple(&self) -> bool {
        matches!(self.arguments, Ok(None))
    }

    /// Its text.
    pub(super) fn text(&self) -> SqlStr {
        self.sql.clone()
    }

    /// The same once more, where its arguments can be copied.
    pub(super) fn duplicate(&self) -> Option<Self> {
        let arguments = match &self.arguments {
            Ok(Some(arguments)) => Some(DB::copy(arguments)?),
            Ok(None) => None,
            Err(_) => return None,
        };
        let (sql, prepared) = (self.sql.clone(), self.prepared.clone());
        Some(Self { sql, arguments: Ok(arguments), prepared, persistent: self.persistent })
    }

    /// Whether its text is one statement.
    pub(super) fn is_single(&self) -> bool {
        !self.sql.as_str().trim_end_matches([';', ' ', '\n', '\t', '\r']).contains(';')
    }

    /// What it will do to its session.
    pub(super) fn effect(&self) -> Effect {
        DB::effect(self.sql.as_str())
    }

    /// The same once more, for where its first run is refused because of what the server or the driver remember
    /// of it; a statement that is not remembered cannot be.
    pub(super) fn again(&self) -> Option<Self> {
        let Ok(Some(arguments)) = &self.arguments else { return None };
        let arguments = DB::copy(arguments).filter(|_| self.persistent)?;
        Some(Self {
            sql: self.sql.clone(),
            arguments: Ok(Some(arguments)),
            prepared: self.prepared.clone(),
            persistent: true,
        })
    }
}

impl<DB: Driver> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
