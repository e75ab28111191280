//! A statement on its way to the driver: how it is prepared, and whether it can be run a second time.

use sqlx::error::BoxDynError;
use sqlx::{Arguments, Execute, SqlStr};
use sqlx_core::sql_str::{AssertSqlSafe, SqlSafeStr};

use crate::db::driver::Driver;
use crate::db::sql::{Effect, KnownEffects};

/// A statement, taken apart so that it is known before the driver has it.
///
/// Boxed: futures hold and move it several times on its way to the driver.
pub(in crate::db) struct Statement<DB: Driver>(Box<Parts<DB>>);

struct Parts<DB: Driver> {
    sql: SqlStr,
    arguments: Result<Option<DB::Arguments>, BoxDynError>,
    prepared: Option<DB::Statement>,
    persistent: bool,
    /// Whether a run leaves the arguments for a second one.
    keep: bool,
}

impl<DB: Driver> Statement<DB> {
    pub(in crate::db) fn of<'q>(mut query: impl Execute<'q, DB>) -> Self {
        // The text last: it takes the query with it.
        let (arguments, persistent) = (query.take_arguments(), query.persistent());
        let prepared = query.statement().cloned();
        Self(Box::new(Parts { sql: query.sql(), arguments, prepared, persistent, keep: false }))
    }

    /// Returns a statement of this text that is not prepared yet; `persistent`: the driver remembers it.
    pub(in crate::db) fn new(
        sql: SqlStr,
        arguments: Result<Option<DB::Arguments>, BoxDynError>,
        persistent: bool,
    ) -> Self {
        Self(Box::new(Parts { sql, arguments, prepared: None, persistent, keep: false }))
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

    /// Sends it by the simple protocol, if it has no parameters.
    pub(super) fn simplify(&mut self) {
        if let Ok(Some(arguments)) = &self.0.arguments
            && arguments.len() == 0
        {
            self.0.arguments = Ok(None);
        }
    }

    /// Its text.
    pub(in crate::db) fn text(&self) -> SqlStr {
        self.0.sql.clone()
    }

    /// Returns the same statement for a second run, if its arguments can be copied.
    pub(in crate::db) fn duplicate(&self) -> Option<Self> {
        let arguments = match self.0.arguments.as_ref().ok()? {
            Some(arguments) => Some(DB::copy(arguments)?),
            None => None,
        };
        let Parts { sql, prepared, persistent, .. } = &*self.0;
        let (sql, prepared, persistent) = (sql.clone(), prepared.clone(), *persistent);
        let arguments = Ok(arguments);
        Some(Self(Box::new(Parts { sql, arguments, prepared, persistent, keep: false })))
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
        let text = self.0.sql.as_str();
        // Most texts have no semicolon, and are not read for it.
        if text.trim_end_matches([';', ' ', '\n', '\t', '\r']).contains(';') {
            DB::statements(text)
        } else {
            vec![text]
        }
    }

    /// Returns the effect of the statement on its session, and remembers it for the next run of the same text.
    pub(super) fn effect(&self, known: &mut KnownEffects) -> Effect {
        let text = self.0.sql.as_str();
        // A text without arguments has its values in it: it seldom comes again, and may hold a secret.
        if self.is_simple() { DB::effect(text) } else { known.of(text, DB::effect) }
    }

    /// Whether the driver or the server may have remembered it from before: only then can its first run be refused as
    /// stale.
    pub(super) fn is_remembered(&self) -> bool {
        self.0.persistent && !self.is_simple()
    }

    /// Has the runs of a reference to it leave the arguments for a second one, if they can be copied.
    pub(super) fn keep(&mut self, keep: bool) {
        self.0.keep = keep;
    }

    /// Whether it can be run a second time.
    pub(super) fn is_kept(&self) -> bool {
        self.0.keep
    }
}

/// A run after which the statement is still there.
impl<'q, DB: Driver> Execute<'q, DB> for &'q mut Statement<DB> {
    fn sql(self) -> SqlStr {
        self.text()
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.0.prepared.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        if self.0.keep
            && let Ok(Some(arguments)) = &self.0.arguments
            && let Some(copy) = DB::copy(arguments)
        {
            return Ok(Some(copy));
        }
        self.0.keep = false;
        std::mem::replace(&mut self.0.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.0.persistent
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
