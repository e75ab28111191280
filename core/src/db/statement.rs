//! A statement on its way to the driver: how it is prepared, and what it will leave behind.

use memchr::{memchr_iter, memchr2};
use sqlx::error::BoxDynError;
use sqlx::{Database, Execute, SqlStr};

use super::driver::Driver;

/// A statement, taken apart so that it is known before the driver has it.
pub(super) struct Statement<DB: Database> {
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

    /// Its text.
    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// Whether its text is one statement.
    pub(super) fn is_single(&self) -> bool {
        !self.sql.as_str().trim_end_matches([';', ' ', '\n', '\t', '\r']).contains(';')
    }

    /// What it will do to its session.
    pub(super) fn effect(&self) -> Effect {
        effect(self.sql.as_str())
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

/// What a statement does to its session for longer than it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// It opens a transaction in plain text.
    Begins,
    /// It ends one.
    Ends,
    /// `SET`, `LISTEN`, a temporary table, a lock of the session.
    Alters,
}

/// What a text does to its session. Several statements in one count as what the worst of them does.
fn effect(sql: &str) -> Effect {
    // Most have neither calls nor ends, which one look tells.
    match memchr2(b'(', b';', sql.as_bytes()) {
        None => effect_of_one(sql),
        Some(_) if calls(sql) => Effect::Alters,
        Some(_) => effect_of_all(sql),
    }
}

fn effect_of_all(sql: &str) -> Effect {
    let ends = memchr_iter(b';', sql.as_bytes()).chain([sql.len()]);
    let mut begin = 0;
    let mut effect = Effect::None;
    for end in ends {
        let one = effect_of_one(&sql[begin..end]);
        begin = end + 1;
        effect = match (effect, one) {
            (Effect::Alters, _) | (_, Effect::Alters) => return Effect::Alters,
            (effect, Effect::None) => effect,
            (_, one) => one,
        };
    }
    effect
}

/// What a statement does to its session, by its first words. Most are known by the first alone.
fn effect_of_one(statement: &str) -> Effect {
    let statement = without_comments(statement).trim_start_matches('(');
    let letters = statement.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (first, rest) = statement.split_at(letters);
    let is = |word: &str, keyword: &str| word.eq_ignore_ascii_case(keyword);
    let words = || rest.split_whitespace().map(|word| word.trim_matches('('));
    let second_is = |keyword: &str| words().next().is_some_and(|word| is(word, keyword));
    match first.as_bytes().first().map(u8::to_ascii_uppercase) {
        Some(b'B') if is(first, "BEGIN") => Effect::Begins,
        Some(b'S') if is(first, "START") && second_is("TRANSACTION") => Effect::Begins,
        Some(b'C') if is(first, "COMMIT") && words().any(|word| is(word, "CHAIN")) => {
            Effect::Begins
        }
        Some(b'C') if is(first, "COMMIT") => Effect::Ends,
        Some(b'E') if is(first, "END") => Effect::Ends,
        Some(b'A') if is(first, "ABORT") => Effect::Ends,
        Some(b'R') if is(first, "ROLLBACK") && !second_is("TO") => Effect::Ends,
        Some(b'S') if is(first, "SET") && !second_is("LOCAL") && !second_is("TRANSACTION") => {
            Effect::Alters
        }
        Some(b'L') if is(first, "LISTEN") || is(first, "LOCK") && second_is("TABLES") => {
            Effect::Alters
        }
        Some(b'C') if is(first, "CREATE") => {
            // LOCAL TEMP, OR REPLACE TEMP.
            let temporary = |word: &str| is(word, "TEMP") || is(word, "TEMPORARY");
            if words().take(3).any(temporary) { Effect::Alters } else { Effect::None }
        }
        Some(b'D') if is(first, "DECLARE") && words().any(|word| is(word, "HOLD")) => {
            Effect::Alters
        }
        Some(b'P') if is(first, "PREPARE") => Effect::Alters,
        Some(b'U') if is(first, "USE") => Effect::Alters,
        _ => Effect::None,
    }
}

/// Whether it calls a function that changes the session: a lock that outlasts the transaction, a setting.
fn calls(sql: &str) -> bool {
    memchr_iter(b'(', sql.as_bytes()).any(|at| {
        let before = sql[..at].trim_end().as_bytes();
        let ends = |name: &str| {
            let start = before.len().checked_sub(name.len());
            start.is_some_and(|start| before[start..].eq_ignore_ascii_case(name.as_bytes()))
        };
        // The last letter tells most calls from these.
        match before.last().map(u8::to_ascii_lowercase) {
            Some(b'k') => ends("advisory_lock") || ends("get_lock"),
            Some(b'd') => ends("advisory_lock_shared"),
            Some(b'g') => ends("set_config") && !is_local(&sql[at..]),
            _ => false,
        }
    })
}

/// Whether the arguments of `set_config`, which follow, say that it ends with the transaction.
fn is_local(arguments: &str) -> bool {
    let end = arguments.find(')').unwrap_or(arguments.len());
    let last = arguments[..end].rsplit(',').next().unwrap_or_default().trim();
    last.eq_ignore_ascii_case("true")
        || last.eq_ignore_ascii_case("'t'")
        || last.eq_ignore_ascii_case("'true'")
}

/// A statement from its first word on: some tools write a comment before each.
fn without_comments(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else {
            return rest;
        };
        rest = after.unwrap_or_default().trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_known_by_their_first_words() {
        for (sql, expected) in [
            ("SELECT 1", Effect::None),
            ("  begin", Effect::Begins),
            ("START TRANSACTION READ ONLY", Effect::Begins),
            ("COMMIT", Effect::Ends),
            ("ROLLBACK TO SAVEPOINT a", Effect::None),
            ("BEGIN; INSERT INTO t VALUES (1); COMMIT", Effect::Ends),
            ("SET search_path = a", Effect::Alters),
            ("SET LOCAL lock_timeout = 1", Effect::None),
            ("BEGIN; SET TIME ZONE 'UTC'; COMMIT", Effect::Alters),
            ("CREATE TEMP TABLE t (a int)", Effect::Alters),
            ("SELECT pg_advisory_lock(1)", Effect::Alters),
            ("SELECT pg_advisory_xact_lock(1)", Effect::None),
            ("SELECT GET_LOCK('a', 1)", Effect::Alters),
            ("UPDATE settings SET a = 1", Effect::None),
            ("LISTEN news", Effect::Alters),
            ("/* a tool's name */ SET search_path = a", Effect::Alters),
            ("-- a comment\n-- and another\nbegin", Effect::Begins),
            ("-- only a comment", Effect::None),
            ("SELECT PG_ADVISORY_LOCK (1)", Effect::Alters),
            ("SELECT pg_try_advisory_lock_shared(1), pg_advisory_xact_lock(2)", Effect::Alters),
            ("SELECT 1, get_lock('a', 1)", Effect::Alters),
            ("SELECT set_config('app.tenant', $1, false)", Effect::Alters),
            ("SELECT set_config('app.tenant', $1, $2)", Effect::Alters),
            ("SELECT set_config('app.tenant', $1, true)", Effect::None),
            ("SELECT current_setting('search_path'), is_locked(1), f(2)", Effect::None),
            ("CREATE LOCAL TEMPORARY TABLE t (a int)", Effect::Alters),
            ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", Effect::Alters),
            ("CREATE TABLE t (a int)", Effect::None),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Effect::Alters),
            ("COMMIT AND CHAIN", Effect::Begins),
            ("(SELECT 1) UNION (SELECT 2)", Effect::None),
            ("set\tsearch_path = a;", Effect::Alters),
            ("", Effect::None),
            ("SELECT 1; ; USE shop", Effect::Alters),
            ("SETTINGS", Effect::None),
        ] {
            assert_eq!(effect(sql), expected, "{sql}");
        }
    }
}
