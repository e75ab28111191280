//! A statement on its way to the driver: how it is prepared, and what it will leave behind.

mod effect;
mod forms;
mod known_effects;
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
pub(super) use known_effects::KnownEffects;
#[cfg(feature = "mysql")]
pub(super) use mysql::of_mysql;
#[cfg(feature = "postgres")]
pub(super) use postgres::of_postgres;
#[cfg(feature = "sqlite")]
pub(super) use sqlite::of_sqlite;

/// A statement, taken apart so that it is known before the driver has it.
///
/// Boxed: futures hold and move it several times on its way to the driver.
pub(super) struct Statement<DB: Driver>(Box<Parts<DB>>);

struct Parts<DB: Driver> {
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
        Self(Box::new(Parts { sql: query.sql(), arguments, prepared, persistent }))
    }

    /// The same; unnamed, it leaves nothing prepared on the server.
    pub(super) fn unnamed(mut self, unnamed: bool) -> Self {
        self.0.persistent &= !unnamed;
        self
    }

    /// Whether it goes out by the simple protocol: text alone, nothing prepared.
    pub(super) fn is_simple(&self) -> bool {
        matches!(self.0.arguments, Ok(None))
    }

    /// Its text.
    pub(super) fn text(&self) -> SqlStr {
        self.0.sql.clone()
    }

    /// The same once more, where its arguments can be copied.
    pub(super) fn duplicate(&self) -> Option<Self> {
        let arguments = match &self.0.arguments {
            Ok(Some(arguments)) => Some(DB::copy(arguments)?),
            Ok(None) => None,
            Err(_) => return None,
        };
        Some(self.with(arguments))
    }

    /// Whether its text is one statement.
    pub(super) fn is_single(&self) -> bool {
        !self.0.sql.as_str().trim_end_matches([';', ' ', '\n', '\t', '\r']).contains(';')
    }

    /// What it will do to its session.
    pub(super) fn effect(&self) -> Effect {
        DB::effect(self.0.sql.as_str())
    }

    /// What it will do to its session, which may have run it before.
    pub(super) fn effect_in(&self, known: &mut KnownEffects) -> Effect {
        known.of::<DB>(self.0.sql.as_str())
    }

    /// The same once more, for where its first run is refused because of what the server or the driver remember
    /// of it; a statement that is not remembered cannot be.
    pub(super) fn again(&self) -> Option<Self> {
        match &self.0.arguments {
            Ok(Some(arguments)) if self.0.persistent => Some(self.with(Some(DB::copy(arguments)?))),
            _ => None,
        }
    }

    fn with(&self, arguments: Option<DB::Arguments>) -> Self {
        let Parts { sql, prepared, persistent, .. } = &*self.0;
        let (sql, prepared, persistent) = (sql.clone(), prepared.clone(), *persistent);
        Self(Box::new(Parts { sql, arguments: Ok(arguments), prepared, persistent }))
    }
}

impl<DB: Driver> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.0.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.0.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        std::mem::replace(&mut self.0.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.0.persistent
    }
}
