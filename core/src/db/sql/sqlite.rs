//! The statements of SQLite that leave a connection as it was; any other counts as one that changes it.

use super::effect::{Change, SessionEffect};
use super::forms::{end, routine};
use super::keyword::{Keyword, is_one_of};
use super::lexer::{Lexer, Token};

/// Pragmas that take an argument and change nothing, or something in the file that every connection shares.
const LASTING: &[&str] = &[
    "application_id",
    "foreign_key_check",
    "foreign_key_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "wal_checkpoint",
];

pub(super) fn of_one(first: Keyword, tokens: &mut Lexer<'_>) -> SessionEffect {
    match first.as_bytes() {
        b"ALTER" | b"DROP" => SessionEffect { alters: true, query: false, ..scan(tokens) },
        b"SELECT" | b"VALUES" | b"WITH" => scan(tokens),
        b"ANALYZE" | b"DELETE" | b"INSERT" | b"REINDEX" | b"REPLACE" | b"UPDATE" | b"VACUUM" => {
            SessionEffect { query: false, ..scan(tokens) }
        }
        b"EXPLAIN" => explain(tokens),
        b"BEGIN" => SessionEffect::BEGINS,
        b"COMMIT" | b"END" => end(tokens, true),
        b"ROLLBACK" => end(tokens, false),
        b"SAVEPOINT" => SessionEffect { opens_if_none: true, ..SessionEffect::NONE },
        // It may end the transaction that SAVEPOINT has opened, which then still counts as open: at worst the
        // connection is closed.
        b"RELEASE" => SessionEffect::NONE,
        b"CREATE" => create(tokens),
        b"PRAGMA" => pragma(tokens),
        b"ATTACH" | b"DETACH" => SessionEffect::changes(Change::Attach),
        _ => SessionEffect::unknown(Change::Other),
    }
}

/// A statement that changes the connection by what it calls, if at all. It is a query if nothing in it writes.
fn scan(tokens: &mut Lexer<'_>) -> SessionEffect {
    let mut effect = SessionEffect { query: true, ..SessionEffect::NONE };
    let mut word = "";
    for token in tokens {
        match token {
            Token::Word(next) | Token::Quoted(next) => {
                effect.query &= !is_one_of(next, &["into", "update", "delete"]);
                word = next;
            }
            Token::Symbol(b'(') if is_one_of(word, &["load_extension"]) => {
                effect.change = Some(Change::Function);
            }
            _ => word = "",
        }
    }
    effect
}

/// `EXPLAIN` runs nothing, except for a pragma, which takes effect when it is compiled.
fn explain(tokens: &mut Lexer<'_>) -> SessionEffect {
    let is_pragma =
        |token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("pragma"));
    if tokens.any(is_pragma) { pragma(tokens) } else { SessionEffect::NONE }
}

/// The effect of a pragma: one that only reads, or that changes the file for all connections, has none.
fn pragma(tokens: &mut Lexer<'_>) -> SessionEffect {
    let mut name = "";
    for token in tokens {
        match token {
            Token::Word(word) | Token::Quoted(word) => name = word,
            Token::Symbol(b'.') => {}
            _ if is_one_of(name, LASTING) => return SessionEffect::NONE,
            _ => return SessionEffect::changes(Change::Pragma),
        }
    }
    SessionEffect::NONE
}

fn create(tokens: &mut Lexer<'_>) -> SessionEffect {
    let (mut words, mut word) = (0, "");
    let mut temporary = None;
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(next) | Token::Quoted(next) => {
                match Keyword::new(next).as_bytes() {
                    b"TEMP" | b"TEMPORARY" if words == 0 => temporary = Some(Change::Temporary),
                    b"TRIGGER" if words == 0 => {
                        let effect = routine(tokens);
                        return SessionEffect { change: temporary.or(effect.change), ..effect };
                    }
                    _ => words += 1,
                }
                word = next;
            }
            Token::Symbol(b'.') if word.eq_ignore_ascii_case("temp") => {
                return SessionEffect::changes(Change::Temporary);
            }
            Token::Symbol(b'(') if is_one_of(word, &["load_extension"]) => {
                return SessionEffect::changes(Change::Function);
            }
            _ => word = "",
        }
    }
    SessionEffect { change: temporary, ..SessionEffect::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::settings::Kind;
    use crate::db::sql::{effect, statements};

    const NONE: SessionEffect = SessionEffect::NONE;

    fn effect_of(text: &str) -> SessionEffect {
        SessionEffect { query: false, commits: false, ..effect(text, Kind::Sqlite) }
    }

    #[test]
    fn statements_are_told_apart() {
        let trigger =
            "CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT ';'; DELETE FROM u; END";
        let text =
            format!("BEGIN; -- ;\n{trigger};\n;INSERT INTO [a;b] VALUES ('it''s;') ; COMMIT -- ;");
        let found: Vec<&str> =
            statements(&text, Kind::Sqlite).iter().map(|text| text.trim()).collect();
        let trigger = format!("-- ;\n{trigger};");
        let insert = ";INSERT INTO [a;b] VALUES ('it''s;') ;";
        assert_eq!(found, ["BEGIN;", &trigger, insert, "COMMIT -- ;"]);
        assert!(effect_of(&text).ends, "{text}");
        assert!(!effect_of(found[1]).ends, "its END is no end of a transaction");
        assert!(statements(" ; -- SELECT 1", Kind::Sqlite).is_empty());
    }

    #[test]
    fn what_can_be_left_at_its_first_row_is_known() {
        for text in [
            "SELECT 1",
            "values (1)",
            "WITH RECURSIVE a AS (SELECT 1) SELECT replace(b, 'into', 'x') FROM a",
            "SELECT 1; SELECT 2;",
            "SELECT \"update_time\" FROM t -- delete",
        ] {
            assert!(effect(text, Kind::Sqlite).query, "{text}");
        }
        for text in [
            "INSERT INTO t VALUES (1) RETURNING a",
            "with a as (select 1) insert into t select * from a returning a",
            "WITH a AS (SELECT 1) UPDATE t SET a = 1 RETURNING a",
            "WITH a AS (SELECT 1) DELETE FROM t RETURNING a",
            "REPLACE INTO t VALUES (1) RETURNING a",
            "SELECT 1; UPDATE t SET a = 1",
            "PRAGMA incremental_vacuum(10)",
            "DROP TABLE t",
            "",
        ] {
            assert!(!effect(text, Kind::Sqlite).query, "{text}");
        }
    }

    #[test]
    fn what_leaves_the_connection_as_it_was_is_known() {
        for text in [
            "SELECT 1",
            "INSERT INTO t VALUES ('a; ATTACH ''b'' AS c')",
            "INSERT INTO \"a;b\" SELECT [c;d] FROM `e;f`",
            "CREATE TABLE t (temp int)",
            "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM u; END; SELECT 1",
            "PRAGMA foreign_keys",
            "PRAGMA main.table_info(t)",
            "PRAGMA user_version = 7",
            "EXPLAIN QUERY PLAN SELECT 1",
            "RELEASE a",
            "ROLLBACK TO a",
            "VACUUM INTO '/a'",
        ] {
            assert_eq!(effect_of(text), NONE, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_changes_the_connection() {
        for (text, change) in [
            ("PRAGMA foreign_keys = OFF", Change::Pragma),
            ("PRAGMA main.query_only(1)", Change::Pragma),
            ("SELECT 1; pragma busy_timeout=0", Change::Pragma),
            ("EXPLAIN PRAGMA case_sensitive_like = 1", Change::Pragma),
            ("ATTACH 'a' AS b", Change::Attach),
            ("DETACH b", Change::Attach),
            ("CREATE TEMP TABLE t (a int)", Change::Temporary),
            ("CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END", Change::Temporary),
            ("CREATE TABLE temp.t (a int)", Change::Temporary),
            ("CREATE VIEW \"temp\".v AS SELECT 1", Change::Temporary),
            ("SELECT load_extension('a')", Change::Function),
            ("FROBNICATE", Change::Other),
        ] {
            assert_eq!(effect(text, Kind::Sqlite).change, Some(change), "{text}");
        }
    }

    #[test]
    fn beginnings_and_ends_of_transactions_are_known() {
        let savepoint = SessionEffect { opens_if_none: true, ..NONE };
        for (text, expected) in [
            ("BEGIN IMMEDIATE", SessionEffect::BEGINS),
            ("END TRANSACTION", SessionEffect::ENDS),
            ("ROLLBACK", SessionEffect::ENDS),
            ("SAVEPOINT a", savepoint),
            ("SAVEPOINT a; INSERT INTO t VALUES (1); RELEASE a", savepoint),
            ("BEGIN; SAVEPOINT a; RELEASE a; COMMIT", SessionEffect::ENDS),
            ("SAVEPOINT a; COMMIT", SessionEffect::ENDS),
            ("COMMIT; SAVEPOINT a", SessionEffect::CHAINS),
        ] {
            assert_eq!(effect_of(text), expected, "{text}");
        }
    }
}
