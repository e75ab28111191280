//! A statement on its way to the driver: how it is prepared, and whether it can be run a second time.

use sqlx::error::BoxDynError;
use sqlx::{Arguments, Execute, SqlStr};
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};

use crate::db::driver::Driver;
use crate::db::sql::{KnownEffects, SessionEffect, statements};

/// A statement in its parts, so that its effect is known before the driver runs it.
///
/// It is passed by reference: boxing it, or moving it from future to future, costs more.
pub(in crate::db) struct Statement<DB: Driver> {
    sql: SqlStr,
    arguments: Result<Option<DB::Arguments>, BoxDynError>,
    prepared: Option<DB::Statement>,
    /// Whether the driver remembers it, prepared on the server.
    pub(super) persistent: bool,
    /// Whether running it by reference keeps the arguments for a second run.
    pub(super) keep: bool,
}

impl<DB: Driver> Statement<DB> {
    pub(in crate::db) fn from_query<'q>(mut query: impl Execute<'q, DB>) -> Self {
        // The text last: it takes the query with it.
        let (arguments, persistent) = (query.take_arguments(), query.persistent());
        let prepared = query.statement().cloned();
        Self { sql: query.sql(), arguments, prepared, persistent, keep: false }
    }

    /// Returns a statement of this text that is not prepared yet; `persistent`: the driver remembers it.
    pub(in crate::db) fn new(
        sql: SqlStr,
        arguments: Result<Option<DB::Arguments>, BoxDynError>,
        persistent: bool,
    ) -> Self {
        Self { sql, arguments, prepared: None, persistent, keep: false }
    }

    /// Whether it goes out by the simple protocol: text alone, nothing prepared.
    pub(super) fn is_simple(&self) -> bool {
        matches!(self.arguments, Ok(None))
    }

    /// Sends it by the simple protocol, if it has no parameters.
    pub(super) fn simplify(&mut self) {
        if let Ok(Some(arguments)) = &self.arguments
            && arguments.len() == 0
        {
            self.arguments = Ok(None);
        }
    }

    /// Returns its text.
    pub(in crate::db) fn text(&self) -> SqlStr {
        self.sql.clone()
    }

    /// Returns the same statement for a second run, unless its arguments are wrong.
    pub(super) fn duplicate(&self) -> Option<Self> {
        Some(Self {
            sql: self.sql.clone(),
            arguments: Ok(self.arguments.as_ref().ok()?.clone()),
            prepared: self.prepared.clone(),
            persistent: self.persistent,
            keep: false,
        })
    }

    /// Moves it out of a reference.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(SqlStr::from_static(""), Ok(None), false))
    }

    /// Whether its text holds several statements.
    pub(super) fn is_several(&self) -> bool {
        self.texts().len() > 1
    }

    /// Its statements, each by itself, if it has no parameters.
    pub(super) fn split(self) -> Vec<Self> {
        let texts = self.texts();
        if texts.len() < 2 || !self.is_simple() {
            return vec![self];
        }
        // Each is a part of the text that the caller vouches for.
        let alone =
            |text: &str| Self::new(AssertSqlSafe(text.to_owned()).into_sql_str(), Ok(None), false);
        texts.into_iter().map(alone).collect()
    }

    /// The texts of its statements.
    fn texts(&self) -> Vec<&str> {
        let text = self.sql.as_str();
        // Most texts have no semicolon, and are not read for it.
        if text.trim_end_matches([';', ' ', '\n', '\t', '\r']).contains(';') {
            statements(text, DB::KIND)
        } else {
            vec![text]
        }
    }

    /// Returns the effect of the statement on its session, and remembers it for the next run of the same text.
    pub(super) fn effect(&self, known: &mut KnownEffects) -> SessionEffect {
        let text = self.sql.as_str();
        // A text without arguments has its values in it: it seldom comes again, and may hold a secret.
        if self.is_simple() { known.read(text, DB::KIND) } else { known.effect(text, DB::KIND) }
    }

    /// Whether the driver or the server may have remembered it from before: only then can its first run be refused as
    /// stale.
    pub(super) fn is_remembered(&self) -> bool {
        self.persistent && !self.is_simple()
    }
}

/// Running a statement by reference, after which it still exists.
impl<'q, DB: Driver> Execute<'q, DB> for &'q mut Statement<DB> {
    fn sql(self) -> SqlStr {
        self.text()
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        if self.keep
            && let Ok(Some(arguments)) = &self.arguments
        {
            return Ok(Some(arguments.clone()));
        }
        self.keep = false;
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
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
